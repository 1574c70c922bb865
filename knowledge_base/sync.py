"""Builds the next snapshot out of the current one and what a source holds now."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from knowledge_base.article import Article
from knowledge_base.building import SnapshotBuilder
from knowledge_base.curated import CuratedAnswer
from knowledge_base.embedding import Progress
from knowledge_base.encoder import TextEncoder
from knowledge_base.errors import NoSnapshot, NothingToRead
from knowledge_base.fusion import Calibration
from knowledge_base.merging import Changes, accepted_from, linked, merged, without_cycles
from knowledge_base.readers import Failure, read_articles
from knowledge_base.readers.base import is_address
from knowledge_base.snapshot import Snapshot
from knowledge_base.store import SnapshotStore


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
    curated: Changes = field(default_factory=Changes)
    """Of the curated answers; the fields above are of articles."""

    @property
    def new_snapshot(self) -> bool:
        changed = self.added or self.changed or self.removed or self.curated.count
        return bool(changed or self.embedded or self.calibrated)


NAMED = 10
"""Failures that an error lists; the report of a sync lists all."""


def sync_path(
    store: SnapshotStore,
    encoder: TextEncoder,
    path: Path | str,
    *,
    source: str | None = None,
    prune: bool = False,
    allow_private: bool = False,
    progress: Progress | None = None,
) -> SyncReport:
    """Reads a file, a folder or an address and syncs it as one source (default: its name).

    Raises NothingToRead (the serving snapshot stays), SyncRunning.
    """
    source = source or source_of(path)
    reading = read_articles(path, source, allow_private=allow_private, progress=progress)
    if not reading.articles and not reading.curated:
        reasons = "; ".join(str(item) for item in reading.failures[:NAMED])
        if len(reading.failures) > NAMED:
            reasons += f"; and {len(reading.failures) - NAMED} more"
        raise NothingToRead(f"no article could be read from {path}: {reasons or 'no files'}")
    return sync_articles(
        store,
        encoder,
        reading.articles,
        curated=reading.curated,
        source=source,
        prune=prune,
        failed=reading.failures,
        notes=reading.notes,
        progress=progress,
    )


def source_of(path: Path | str) -> str:
    """The name of a folder, or of a file without its suffix; the host of an address."""
    if isinstance(path, str) and is_address(path):
        return urlsplit(path).hostname or path
    resolved = Path(path).resolve()
    return resolved.name if resolved.is_dir() else resolved.stem


def sync_articles(
    store: SnapshotStore,
    encoder: TextEncoder,
    articles: Sequence[Article],
    *,
    source: str,
    curated: Sequence[CuratedAnswer] = (),
    prune: bool = False,
    remove: Collection[str] = (),
    failed: Sequence[Failure] = (),
    notes: Sequence[Failure] = (),
    recalibrate: bool = False,
    progress: Progress | None = None,
) -> SyncReport:
    """Adds or replaces entries of one source, and lets the result serve.

    ``remove`` names articles or curated answers of this source to drop; ``prune`` drops all
    that are not given, save those whose file has just failed to be read. Nothing is written
    when nothing changed. Raises SyncRunning.
    """
    started = time.monotonic()
    progress = progress or (lambda stage, done, total: None)
    with store.writing():
        former, problem = _former(store)
        before = former.articles if former else {}
        answers = {answer.id: answer for answer in former.curated.answers} if former else {}
        failures = list(failed)
        accepted = accepted_from(articles, before, source, failures)
        staff = accepted_from(curated, answers, source, failures)
        after = merged(
            before, accepted, source=source, remove=remove, prune=prune, failures=failures
        )
        after = without_cycles(after, before, accepted, failures)
        kept = merged(answers, staff, source=source, remove=remove, prune=prune, failures=failures)
        oddities = [*notes, *problem]
        kept = linked(kept, answers, after, failures, oddities)
        changes, staff_changes = Changes.between(before, after), Changes.between(answers, kept)
        report = SyncReport(
            snapshot=former.name if former else "",
            source=source,
            added=changes.added,
            changed=changes.changed,
            removed=changes.removed,
            unchanged=changes.unchanged,
            failed=tuple(failures),
            notes=tuple(oddities),
            chunks=len(former.chunks) if former else 0,
            embedded=0,
            calibrated=False,
            seconds=time.monotonic() - started,
            curated=staff_changes,
        )
        same_encoder = former is not None and former.encoder == encoder.name
        changed = changes.count or staff_changes.count or recalibrate or problem
        if same_encoder and not changed:
            return report
        build = SnapshotBuilder(store, encoder, former, progress)
        snapshot, calibrated = build.run(
            list(after.values()),
            list(kept.values()),
            changed=changes.count,
            recalibrate=recalibrate,
            recurate=bool(staff_changes.count),
            made_by={
                "source": source,
                "added": len(changes.added) + len(staff_changes.added),
                "changed": len(changes.changed) + len(staff_changes.changed),
                "removed": len(changes.removed) + len(staff_changes.removed),
            },
        )
        store.collect_garbage()
    return replace(
        report,
        snapshot=snapshot.name,
        chunks=len(snapshot.chunks),
        embedded=build.embedded,
        calibrated=calibrated,
        seconds=time.monotonic() - started,
    )


def _former(store: SnapshotStore) -> tuple[Snapshot | None, tuple[Failure, ...]]:
    """What to build upon, and a note when that is not the snapshot that should serve."""
    try:
        snapshot, problem = store.load_intact()
    except NoSnapshot:
        return None, ()
    if problem is None:
        return snapshot, ()
    reason = f"{problem}; built upon {snapshot.name}"
    return snapshot, (Failure(store.current_name(), None, reason),)


def recalibrate(
    store: SnapshotStore, encoder: TextEncoder, progress: Progress | None = None
) -> Calibration:
    """A new snapshot of the same articles with a new calibration. Raises NoSnapshot."""
    store.current_name()
    sync_articles(store, encoder, (), source="", recalibrate=True, progress=progress)
    return store.current().calibration
