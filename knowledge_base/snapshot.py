"""A snapshot: one immutable state of all articles with the indexes over their chunks.

manifest.json    encoder, counts, calibration, SHA-256 of every other file
articles.jsonl   chunks.jsonl   vectors.npy (float32, unit length)
dense.faiss      lexical/ (bm25s)
curated.jsonl    curated.npy, where staff wrote curated answers
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.article import Article
from knowledge_base.chunking import CHUNKING, Chunk
from knowledge_base.curated import CuratedSet
from knowledge_base.dense import FLAT_LIMIT, DenseIndex, VectorIndex
from knowledge_base.errors import SnapshotDamaged
from knowledge_base.files import read_lines, sha256, write_lines
from knowledge_base.fusion import Calibration
from knowledge_base.lexical import LexicalIndex
from knowledge_base.locales import serving
from knowledge_base.vector_store import VectorStores

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Loaded, checked, safe to share between threads. Row i of ``vectors`` is chunk i."""

    name: str
    encoder: str
    language: str
    created: str
    """ISO 8601, UTC."""
    articles: dict[str, Article]
    chunks: tuple[Chunk, ...]
    vectors: NDArray[np.float32]
    dense: VectorIndex
    lexical: LexicalIndex
    calibration: Calibration
    curated: CuratedSet = field(default_factory=CuratedSet)
    chunking: int = CHUNKING
    """Which form of ``chunking`` made the chunks."""

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """Number of the article (in the order of ``articles``) of each chunk, shape (n,)."""
        return np.array([self._numbers[chunk.article] for chunk in self.chunks], dtype=np.int64)

    @cached_property
    def centroids(self) -> NDArray[np.float32]:
        """Unit mean vector of each article's chunks, shape (articles, dimension)."""
        sums = np.zeros((len(self.articles), self.vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, self.owners, self.vectors)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (sums / np.maximum(norms, 1e-9)).astype(np.float32)
        return unit

    @cached_property
    def rows_by_digest(self) -> dict[str, int]:
        return {chunk.digest: row for row, chunk in enumerate(self.chunks)}

    def superseded(self, day: date) -> frozenset[str]:
        """Ids of articles that another article, valid on that day, replaces."""
        return frozenset(
            old
            for article in self.articles.values()
            if article.supersedes and article.valid_on(day)
            for old in article.supersedes
        )

    def allowed(
        self, audiences: Collection[str], day: date, locale: str | None = None
    ) -> NDArray[np.bool_]:
        """Which chunks a reader may see on a day, shape (n,), cached.

        With ``locale``, those of articles that serve it (see ``locales``); else of all.
        """
        mask: NDArray[np.bool_] = self._allowed(frozenset(audiences), day, locale)
        return mask

    def shows(self, article: str, allowed: NDArray[np.bool_]) -> bool:
        """Whether an article has a chunk among the allowed ones."""
        number = self._numbers.get(article)
        return number is not None and bool(allowed[self.owners == number].any())

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {identity: number for number, identity in enumerate(self.articles)}

    @cached_property
    def _allowed(self) -> Any:
        @lru_cache(maxsize=32)
        def mask(audiences: frozenset[str], day: date, locale: str | None) -> NDArray[np.bool_]:
            replaced = self.superseded(day)
            shown = [
                article
                for article in self.articles.values()
                if article.audience in audiences
                and article.valid_on(day)
                and article.id not in replaced
            ]
            ids = serving(shown, locale) if locale else {article.id for article in shown}
            articles = np.array([identity in ids for identity in self.articles], dtype=np.bool_)
            return articles[self.owners]

        return mask

    def nearest(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Rows of the ``k`` allowed chunks nearest to a vector of shape (dimension,)."""
        rows = np.flatnonzero(allowed)
        if self.dense.kind == "hnsw" and len(rows) < FLAT_LIMIT:
            # A graph search starves when most of its nodes are forbidden; few are quick to try.
            order = np.argsort(-(self.vectors[rows] @ vector))[:k]
            exact: NDArray[np.int64] = rows[order]
            return exact
        return self.dense.search(vector, k, allowed)


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


def write_manifest(folder: Path, snapshot: Snapshot) -> None:
    """The last file of a snapshot: without it, the folder is none."""
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
    return Snapshot(
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
        chunking=manifest.get("chunking", CHUNKING),
    )


def main_language(articles: Sequence[Article]) -> str:
    """ISO 639-1 code of most articles; it decides about stemming."""
    counts = Counter(article.locale.replace("_", "-").split("-")[0].lower() for article in articles)
    return counts.most_common(1)[0][0] if counts else "en"
