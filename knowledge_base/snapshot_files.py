"""Snapshots on disk: written once, sealed by a manifest, checked file by file when loaded.

manifest.json    encoder, counts, index and its recall, calibration, SHA-256 of all other files
articles.jsonl   chunks.jsonl   vectors.npy (float32, unit length)
dense.faiss      lexical/ (bm25s)
curated.jsonl    curated.npy, where staff wrote curated answers
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.article import Article
from knowledge_base.chunking import Chunk
from knowledge_base.curated import CuratedSet
from knowledge_base.dense import DenseIndex, VectorIndex
from knowledge_base.errors import SnapshotDamaged
from knowledge_base.files import read_lines, sha256, write_lines
from knowledge_base.fusion import Calibration
from knowledge_base.lexical import LexicalIndex
from knowledge_base.locales import Locale
from knowledge_base.snapshot import Snapshot
from knowledge_base.vector_store import VectorStores

FORMAT = 1
MANIFEST = "manifest.json"


def build_snapshot(
    folder: Path,
    *,
    name: str,
    created: str,
    encoder: str,
    articles: Sequence[Article],
    chunks: Sequence[Chunk],
    vectors: NDArray[np.float32],
    calibration: Calibration | None = None,
    curated: CuratedSet | None = None,
    stores: VectorStores | None = None,
) -> Snapshot:
    """Writes all but the manifest into an empty folder and returns the snapshot.

    With ``stores``, vectors are also put into a collection there, and no FAISS index is made.
    """
    language = main_language(articles)
    dense: VectorIndex
    if stores:
        dense = stores.filled(name, chunks, vectors)
    else:
        index = dense = DenseIndex.build(vectors)
        index.save(folder / "dense.faiss")
    lexical = LexicalIndex.build([chunk.embedded for chunk in chunks], language)
    write_lines(folder / "articles.jsonl", (article.to_json() for article in articles))
    write_lines(folder / "chunks.jsonl", (_row(chunk) for chunk in chunks))
    np.save(folder / "vectors.npy", vectors)
    lexical.save(folder / "lexical")
    curated = curated or CuratedSet()
    curated.save(folder)
    return Snapshot(
        name=name,
        encoder=encoder,
        language=language,
        created=created,
        articles={article.id: article for article in articles},
        chunks=tuple(chunks),
        vectors=vectors,
        dense=dense,
        lexical=lexical,
        calibration=calibration or Calibration(),
        curated=curated,
    )


def _row(chunk: Chunk) -> dict[str, Any]:
    return {
        "article": chunk.article,
        "ordinal": chunk.ordinal,
        "title": chunk.title,
        "heading": chunk.heading,
        "anchor": chunk.anchor,
        "text": chunk.text,
    }


def write_manifest(folder: Path, snapshot: Snapshot, made_by: Mapping[str, Any]) -> None:
    """The last file of a snapshot: without it, the folder is none. ``made_by`` is told to whoever
    looks for the import to go back behind."""
    files = {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    manifest = {
        "format": FORMAT,
        "name": snapshot.name,
        "created": snapshot.created,
        "encoder": snapshot.encoder,
        "language": snapshot.language,
        "chunking": snapshot.chunking,
        "made_by": dict(made_by),
        "articles": len(snapshot.articles),
        "chunks": len(snapshot.chunks),
        "index": snapshot.dense.kind,
        "index_recall": snapshot.dense.recall,
        "calibration": snapshot.calibration.to_json(),
        "curated": len(snapshot.curated.answers),
        "curated_calibration": snapshot.curated.calibration.to_json(),
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises SnapshotDamaged when it is missing, unreadable or of another format."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SnapshotDamaged(
            f"snapshot {folder.name!r} has no readable manifest: {error}"
        ) from None
    if manifest.get("format") != FORMAT:
        raise SnapshotDamaged(
            f"snapshot {folder.name!r} has format {manifest.get('format')!r}, this program reads "
            f"{FORMAT}; run sync again"
        )
    return manifest


def load_snapshot(folder: Path, stores: VectorStores | None = None) -> Snapshot:
    """Reads a snapshot after checking every file against the manifest.

    With ``stores``, its collection there is filled again where it is empty. Raises
    SnapshotDamaged, naming the file.
    """
    manifest = read_manifest(folder)
    for name, digest in manifest["files"].items():
        try:
            found = sha256(folder / name)
        except OSError as error:
            raise SnapshotDamaged(f"snapshot {folder.name!r}: {name}: {error.strerror}") from None
        if found != digest:
            raise SnapshotDamaged(
                f"snapshot {folder.name!r}: {name} differs from its manifest; "
                "roll back to another snapshot or run sync again"
            )
    articles = [Article.from_json(row) for row in read_lines(folder / "articles.jsonl")]
    chunks = tuple(Chunk(**row) for row in read_lines(folder / "chunks.jsonl"))
    vectors: NDArray[np.float32] = np.load(folder / "vectors.npy", allow_pickle=False)
    dense: VectorIndex
    if stores:
        dense = stores.filled(manifest["name"], chunks, vectors)
    elif (folder / "dense.faiss").exists():
        dense = DenseIndex.load(folder / "dense.faiss", manifest["index_recall"])
    else:  # it was made while a vector store was set
        dense = DenseIndex.build(vectors)
    snapshot = Snapshot(
        name=manifest["name"],
        encoder=manifest["encoder"],
        language=manifest["language"],
        created=manifest["created"],
        articles={article.id: article for article in articles},
        chunks=chunks,
        vectors=vectors,
        dense=dense,
        lexical=LexicalIndex.load(folder / "lexical", manifest["language"]),
        calibration=Calibration.from_json(manifest["calibration"]),
        curated=CuratedSet.load(folder, manifest.get("curated_calibration", {})),
        chunking=manifest.get("chunking", 0),
    )
    return snapshot.warmed()


def main_language(articles: Sequence[Article]) -> str:
    """ISO 639-1 code of most articles; it decides about stemming."""
    counts = Counter(Locale.of(article.locale).language for article in articles)
    return counts.most_common(1)[0][0] if counts else "en"
