"""What a sync says to the person who started it, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from knowledge_base.article import Article
from knowledge_base.merging import Changes
from knowledge_base.sync import SyncReport

SHOWN = 50  # of each kind; an import of thousands would push the failures off the screen


def sync_lines(report: SyncReport, articles: Mapping[str, Article]) -> Iterator[str]:
    """Each change on a line, then the counts. ``articles`` are those that serve now."""
    for word in ("added", "changed", "removed"):
        identities = getattr(report, word)
        for identity in identities[:SHOWN]:
            article = articles.get(identity)
            yield f"{word}: {identity}" + (f"  {article.title}" if article else "")
        if len(identities) > SHOWN:
            yield f"{word}: and {len(identities) - SHOWN:,} more (--json lists all)"
        for identity in getattr(report.curated, word)[:SHOWN]:
            yield f"{word}: curated answer {identity}"
    yield (
        f"{len(report.added)} added, {len(report.changed)} changed, "
        f"{len(report.removed)} removed, {report.unchanged} unchanged, "
        f"{len(report.failed)} failed"
    )
    if report.curated.count or report.curated.unchanged:
        yield f"curated answers: {_counts(report.curated)}"
    yield (
        f"snapshot {report.snapshot}: {report.chunks} chunks, {report.embedded} embedded, "
        f"{'calibrated, ' if report.calibrated else ''}{report.seconds:.1f} s"
        if report.new_snapshot
        else f"nothing changed; snapshot {report.snapshot} keeps serving"
    )


def sync_json(report: SyncReport) -> dict[str, Any]:
    curated = report.curated
    return {
        "snapshot": report.snapshot,
        "source": report.source,
        "added": list(report.added),
        "changed": list(report.changed),
        "removed": list(report.removed),
        "unchanged": report.unchanged,
        "failed": [str(failure) for failure in report.failed],
        "notes": [str(note) for note in report.notes],
        "curated": {
            "added": list(curated.added),
            "changed": list(curated.changed),
            "removed": list(curated.removed),
            "unchanged": curated.unchanged,
        },
        "chunks": report.chunks,
        "embedded": report.embedded,
        "calibrated": report.calibrated,
        "seconds": round(report.seconds, 2),
    }


def _counts(changes: Changes) -> str:
    return (
        f"{len(changes.added)} added, {len(changes.changed)} changed, "
        f"{len(changes.removed)} removed, {changes.unchanged} unchanged"
    )
