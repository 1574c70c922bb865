"""Makes a snapshot out of articles and curated answers: passages, vectors, indexes, calibration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from knowledge_base.article import Article
from knowledge_base.calibrate import calibrate
from knowledge_base.chunking import CHUNKING, Chunk, chunk
from knowledge_base.curated import CuratedAnswer, CuratedSet
from knowledge_base.curated_calibration import calibrate_curated
from knowledge_base.embedding import Partial, Progress, embed_chunks
from knowledge_base.encoder import TextEncoder
from knowledge_base.errors import NothingToRead
from knowledge_base.snapshot import Snapshot
from knowledge_base.snapshot_files import build_snapshot
from knowledge_base.store import SnapshotStore

RECALIBRATE_SHARE = 0.1  # of the articles changed since the last calibration


@dataclass
class SnapshotBuilder:
    """One snapshot in the making."""

    store: SnapshotStore
    encoder: TextEncoder
    former: Snapshot | None
    progress: Progress
    embedded: int = 0

    def run(
        self,
        articles: list[Article],
        answers: list[CuratedAnswer],
        *,
        changed: int,
        recalibrate: bool,
        recurate: bool,
        made_by: Mapping[str, Any],
    ) -> tuple[Snapshot, bool]:
        """The published snapshot, and whether retrieval was calibrated anew. ``made_by``: source
        and numbers of what it adds, changes and removes."""
        chunks = self._chunks(articles)
        if not chunks:
            raise NothingToRead(
                "no article would be left; a help centre needs at least one, also beside curated "
                "answers: the serving snapshot stays"
            )
        former = self.former
        if former is not None and former.encoder != self.encoder.name:
            former = None  # its vectors mean nothing to this encoder
        known = {}
        if former is not None:
            known = {digest: former.vectors[row] for digest, row in former.rows_by_digest.items()}
        vectors, self.embedded = embed_chunks(
            chunks, self.encoder, known, self.store.root, self.progress
        )
        now = datetime.now(UTC)
        versions = [f"{article.id}@{article.version}" for article in articles]
        versions += [f"{answer.id}@{answer.version}" for answer in answers]
        content = "".join(versions)
        digest = hashlib.sha256(f"{content}{now.timestamp()}{self.encoder.name}".encode())
        folder = self.store.working_folder()
        self.progress("index", 0, 1)
        snapshot = build_snapshot(
            folder,
            name=f"{now:%Y%m%dT%H%M%S%fZ}-{digest.hexdigest()[:8]}",
            created=now.isoformat(timespec="seconds"),
            encoder=self.encoder.name,
            articles=articles,
            chunks=chunks,
            vectors=vectors,
            calibration=self.former.calibration if self.former else None,
            curated=self._curated(answers, former),
            stores=self.store.vector_stores,
        )
        self.progress("index", 1, 1)
        calibration = snapshot.calibration
        stale = calibration.changed + changed
        needed = recalibrate or not calibration.questions or not known
        needed = needed or stale > RECALIBRATE_SHARE * len(articles)
        if needed:
            calibration = calibrate(snapshot, self.encoder, self.progress)
        else:
            calibration = replace(calibration, changed=stale)
        snapshot = replace(snapshot, calibration=calibration)
        if snapshot.curated.answers and (needed or recurate):
            curated = calibrate_curated(snapshot, self.encoder, self.progress)
            snapshot = replace(snapshot, curated=replace(snapshot.curated, calibration=curated))
        self.store.publish(folder, snapshot, made_by)
        Partial(self.store.root, self.encoder).forget()
        return snapshot, needed

    def _chunks(self, articles: list[Article]) -> list[Chunk]:
        """Unchanged articles keep their passages: parsing all of 10,000 takes half a minute."""
        former = self.former
        kept: dict[str, list[Chunk]] = {}
        if former is not None and former.chunking == CHUNKING:
            for item in former.chunks:
                kept.setdefault(item.article, []).append(item)
        chunks = []
        for number, article in enumerate(articles):
            before = former.articles.get(article.id) if former else None
            same = before is not None and before.version == article.version
            chunks += (kept.get(article.id) if same else None) or chunk(article)
            self.progress("chunk", number + 1, len(articles))
        return chunks

    def _curated(self, answers: list[CuratedAnswer], former: Snapshot | None) -> CuratedSet:
        if not answers:
            return CuratedSet()
        known = former.curated.vector_of() if former else {}
        asked = [question for answer in answers for question in answer.questions]
        new = [question for question in dict.fromkeys(asked) if question not in known]
        known |= dict(zip(new, self.encoder.embed(new), strict=True))
        calibration = former.curated.calibration if former else None
        vectors = np.stack([known[question] for question in asked])
        made = CuratedSet(tuple(answers), vectors)
        return replace(made, calibration=calibration) if calibration else made
