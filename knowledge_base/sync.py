"""Builds the next snapshot out of the current one and what a source holds now."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from knowledge_base.article import Article
from knowledge_base.calibrate import calibrate
from knowledge_base.chunking import chunk
from knowledge_base.embedding import Partial, Progress, embed_chunks
from knowledge_base.encoder import TextEncoder
from knowledge_base.errors import NoSnapshot, NothingToRead
from knowledge_base.fusion import Calibration
from knowledge_base.readers import Failure, read_articles
from knowledge_base.snapshot import Snapshot, build_snapshot
from knowledge_base.store import SnapshotStore

RECALIBRATE_SHARE = 0.1  # of the articles changed since the last calibration


@dataclass(frozen=True)
class SyncReport:
    """What a sync did. Article ids are sorted."""

    snapshot: str
    source: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    failed: tuple[Failure, ...]
    notes: tuple[Failure, ...]
    chunks: int
    embedded: int
    calibrated: bool
    seconds: float

    @property
    def new_snapshot(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.embedded or self.calibrated)


def sync_path(
    store: SnapshotStore,
    encoder: TextEncoder,
    path: Path,
    *,
    source: str | None = None,
    prune: bool = False,
    progress: Progress | None = None,
) -> SyncReport:
    """Reads a file or folder and syncs it as one source (default: the path's name).

    Raises NothingToRead (the serving snapshot stays), SyncRunning.
    """
    source = source or path.resolve().stem
    reading = read_articles(path, source)
    if not reading.articles:
        reasons = "; ".join(str(item) for item in reading.failures[:3])
        raise NothingToRead(f"no article could be read from {path}: {reasons or 'no files'}")
    return sync_articles(
        store,
        encoder,
        reading.articles,
        source=source,
        prune=prune,
        failed=reading.failures,
        notes=reading.notes,
        progress=progress,
    )


def sync_articles(
    store: SnapshotStore,
    encoder: TextEncoder,
    articles: Sequence[Article],
    *,
    source: str,
    prune: bool = False,
    remove: Collection[str] = (),
    failed: Sequence[Failure] = (),
    notes: Sequence[Failure] = (),
    recalibrate: bool = False,
    progress: Progress | None = None,
) -> SyncReport:
    """Adds or replaces articles of one source, and lets the result serve.

    ``remove`` names articles of this source to drop; ``prune`` drops all that are not in
    ``articles``, save those whose file has just failed to be read. Nothing is written when
    nothing changed. Raises SyncRunning.
    """
    started = time.monotonic()
    progress = progress or (lambda stage, done, total: None)
    with store.writing():
        former = _former(store)
        before = former.articles if former else {}
        failures = list(failed)
        accepted = _accept(articles, before, source, failures)
        after = dict(before) | accepted
        kept_files = {failure.file for failure in failures}
        for identity, article in before.items():
            if article.source != source or identity in accepted:
                continue
            unread = article.origin.split(":")[0] in kept_files
            if identity in remove or (prune and not unread):
                del after[identity]
        after = _without_cycles(after, before, accepted, failures)
        added = sorted(after.keys() - before.keys())
        removed = sorted(before.keys() - after.keys())
        changed = sorted(
            identity
            for identity in after.keys() & before.keys()
            if after[identity].version != before[identity].version
        )
        same_encoder = former is not None and former.encoder == encoder.name
        count = len(added) + len(changed) + len(removed)
        report = SyncReport(
            snapshot=former.name if former else "",
            source=source,
            added=tuple(added),
            changed=tuple(changed),
            removed=tuple(removed),
            unchanged=len(after) - len(added) - len(changed),
            failed=tuple(failures),
            notes=tuple(notes),
            chunks=len(former.chunks) if former else 0,
            embedded=0,
            calibrated=False,
            seconds=time.monotonic() - started,
        )
        if former is not None and same_encoder and not count and not recalibrate:
            return report
        snapshot, embedded, calibrated = _build(
            store,
            encoder,
            list(after.values()),
            former=former,
            count=count,
            recalibrate=recalibrate,
            progress=progress,
        )
        store.collect_garbage()
    return replace(
        report,
        snapshot=snapshot.name,
        chunks=len(snapshot.chunks),
        embedded=embedded,
        calibrated=calibrated,
        seconds=time.monotonic() - started,
    )


def _former(store: SnapshotStore) -> Snapshot | None:
    try:
        return store.load(store.current_name())
    except NoSnapshot:
        return None


def _accept(
    articles: Iterable[Article],
    before: dict[str, Article],
    source: str,
    failures: list[Failure],
) -> dict[str, Article]:
    """This source's articles by id; ids that belong to another source are refused."""
    accepted: dict[str, Article] = {}
    for article in articles:
        owner = before[article.id].source if article.id in before else source
        if owner != source:
            reason = f"id {article.id!r} belongs to source {owner!r}; sync it with --source {owner}"
            failures.append(Failure(article.origin or article.id, None, reason))
        elif article.id in accepted:
            failures.append(Failure(article.origin, None, f"id {article.id!r} is used twice"))
        else:
            accepted[article.id] = replace(article, source=source)
    return accepted


def _without_cycles(
    after: dict[str, Article],
    before: dict[str, Article],
    accepted: dict[str, Article],
    failures: list[Failure],
) -> dict[str, Article]:
    """Refuses articles that supersede each other in a circle: their former version stays."""
    result = dict(after)
    for identity in accepted:
        cycle = _cycle(result, identity)
        if not cycle:
            continue
        for member in cycle:
            if member not in accepted:
                continue
            path = " -> ".join([*cycle, cycle[0]])
            origin = accepted[member].origin or member
            failures.append(Failure(origin, None, f"supersedes in a circle: {path}"))
            result.pop(member)
            former = before.get(member)
            if former is not None and not _cycle(result | {member: former}, member):
                result[member] = former
    return result


def _cycle(articles: dict[str, Article], start: str) -> list[str]:
    """Ids of a circle of ``supersedes`` through ``start``, or an empty list."""
    stack = [(start, [start])]
    seen: set[str] = set()
    while stack:
        identity, path = stack.pop()
        for older in articles[identity].supersedes if identity in articles else ():
            if older == start:
                return path
            if older not in seen:
                seen.add(older)
                stack.append((older, [*path, older]))
    return []


def _build(
    store: SnapshotStore,
    encoder: TextEncoder,
    articles: list[Article],
    *,
    former: Snapshot | None,
    count: int,
    recalibrate: bool,
    progress: Progress,
) -> tuple[Snapshot, int, bool]:
    chunks = []
    for number, article in enumerate(articles):
        chunks += chunk(article)
        progress("chunk", number + 1, len(articles))
    known = {}
    if former is not None and former.encoder == encoder.name:
        known = {digest: former.vectors[row] for digest, row in former.rows_by_digest.items()}
    vectors, embedded = embed_chunks(chunks, encoder, known, store.root, progress)
    now = datetime.now(UTC)
    content = "".join(f"{article.id}@{article.version}" for article in articles)
    digest = hashlib.sha256(f"{content}{now.timestamp()}{encoder.name}".encode()).hexdigest()
    folder = store.working_folder()
    progress("index", 0, 1)
    snapshot = build_snapshot(
        folder,
        name=f"{now:%Y%m%dT%H%M%SZ}-{digest[:8]}",
        created=now.isoformat(timespec="seconds"),
        encoder=encoder.name,
        articles=articles,
        chunks=chunks,
        vectors=vectors,
        calibration=former.calibration if former else None,
    )
    progress("index", 1, 1)
    calibration = snapshot.calibration
    stale = calibration.changed + count
    needed = recalibrate or not calibration.questions or not known
    needed = needed or stale > RECALIBRATE_SHARE * len(articles)
    if needed:
        calibration = calibrate(snapshot, encoder, progress)
    else:
        calibration = replace(calibration, changed=stale)
    snapshot = replace(snapshot, calibration=calibration)
    store.publish(folder, snapshot)
    Partial(store.root, encoder).forget()
    return snapshot, embedded, needed


def recalibrate(
    store: SnapshotStore, encoder: TextEncoder, progress: Progress | None = None
) -> Calibration:
    """A new snapshot of the same articles with a new calibration. Raises NoSnapshot."""
    store.current_name()
    sync_articles(store, encoder, (), source="", recalibrate=True, progress=progress)
    return store.current().calibration
