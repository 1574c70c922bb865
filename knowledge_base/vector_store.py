"""Any LangChain ``VectorStore`` in place of FAISS.

``CHATBOT_VECTOR_STORE=module:factory`` names a function that is called as
``factory(embeddings, collection)`` and returns a store for that collection, an empty one where
there is none yet. Each snapshot has its own collection, named after it, so that old and new
serve side by side. The store must offer ``add_documents`` and ``similarity_search_by_vector``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from knowledge_base.chunking import Chunk
from knowledge_base.dense import recall_of
from knowledge_base.errors import VectorStoreFailed
from knowledge_base.files import read_lines

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.vectorstores import VectorStore

    Factory = Callable[[Embeddings, str], VectorStore]

BATCH = 500
PROBES = 20  # passages looked up to see whether a collection is filled
WIDER = 4  # times as many are asked for, when too many of those found may not be shown
_log = logging.getLogger(__name__)


class VectorStores:
    """Opens and fills collections with a factory."""

    def __init__(self, factory: Factory, name: str) -> None:
        self._factory = factory
        self._name = name

    @classmethod
    def from_setting(cls, setting: str) -> VectorStores | None:
        """None for ''. Raises VectorStoreFailed when the setting names no function."""
        if not setting:
            return None
        module, _, name = setting.partition(":")
        try:
            factory = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise VectorStoreFailed(
                f"CHATBOT_VECTOR_STORE is {setting!r}, which cannot be loaded ({error}); "
                "write it as module:factory"
            ) from None
        return cls(factory, setting)

    def filled(
        self, snapshot: str, chunks: Sequence[Chunk], vectors: NDArray[np.float32]
    ) -> StoreIndex:
        """The snapshot's collection, filled where it is not. ``vectors`` has one row a chunk.

        Raises VectorStoreFailed.
        """
        from langchain_core.documents import Document

        texts = [chunk.embedded for chunk in chunks]
        with _named(self._name):
            store = self._factory(_known_vectors(texts, vectors), snapshot)
        index = StoreIndex(store, chunks, self._name)
        if index.holds(vectors):
            return index
        documents = [
            Document(
                id=chunk.id,
                page_content=text,
                metadata={"chunk": chunk.id, "article": chunk.article, "title": chunk.title},
            )
            for chunk, text in zip(chunks, texts, strict=True)
        ]
        for start in range(0, len(documents), BATCH):
            part = documents[start : start + BATCH]
            with _named(self._name):
                store.add_documents(part, ids=[document.id for document in part])
        if not index.holds(vectors):
            raise VectorStoreFailed(
                f"the vector store {self._name!r} does not return what was put into it; it must "
                "keep metadata and search by cosine or inner product"
            )
        index.measure(vectors)
        return index

    def drop(self, snapshot: str, chunks: Path) -> None:
        """Deletes a snapshot's documents. A store that cannot is named in the log."""
        rows = read_lines(chunks) if chunks.exists() else ()
        ids = [f"{row['article']}#{row['ordinal']}" for row in rows]
        nothing = _known_vectors([], np.zeros((0, 1), np.float32))
        try:
            with _named(self._name):
                self._factory(nothing, snapshot).delete(ids)
        except VectorStoreFailed as error:
            _log.warning("collection %s stays until it is removed by hand: %s", snapshot, error)


class StoreIndex:
    """A ``VectorIndex`` over one collection."""

    def __init__(self, store: VectorStore, chunks: Sequence[Chunk], name: str) -> None:
        self._store = store
        self._rows = {chunk.id: row for row, chunk in enumerate(chunks)}
        self._name = name
        self._recall = 1.0

    @property
    def kind(self) -> str:
        return self._name

    @property
    def recall(self) -> float:
        return self._recall

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Row numbers of the nearest ``k`` allowed vectors, best first.

        Filters of stores differ, so it asks for more until enough of those found are allowed.
        """
        available = len(self._rows) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, available)
        wanted = k
        while True:
            found = self._nearest(vector, wanted)
            rows = [row for row in found if allowed is None or allowed[row]]
            if len(rows) >= k or len(found) < wanted:
                return np.array(rows[:k], dtype=np.int64)
            wanted = min(WIDER * wanted, len(self._rows))
            if wanted == len(found):
                return np.array(rows[:k], dtype=np.int64)

    def _nearest(self, vector: NDArray[np.float32], k: int) -> list[int]:
        if k == 0:
            return []
        with _named(self._name):
            found = self._store.similarity_search_by_vector(vector.tolist(), k=k)
        rows = (self._rows.get(document.metadata.get("chunk", "")) for document in found)
        return [row for row in rows if row is not None]

    def holds(self, vectors: NDArray[np.float32]) -> bool:
        """Whether passages from all over the snapshot are found by their own vectors."""
        for row in np.linspace(0, len(vectors) - 1, PROBES).astype(int).tolist():
            found = self._nearest(vectors[row], 1)
            if not found or float(vectors[found[0]] @ vectors[row]) < 0.99:
                return False
        return True

    def measure(self, vectors: NDArray[np.float32], sample: int = 50) -> None:
        def search(asked: NDArray[np.float32], k: int) -> list[list[int]]:
            return [self._nearest(vector, k) for vector in asked]

        self._recall = recall_of(search, vectors, sample)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # clients of stores raise whatever they like
        raise VectorStoreFailed(
            f"vector store {name!r}: {error or type(error).__name__}"
        ) from error


def _known_vectors(texts: Sequence[str], vectors: NDArray[np.float32]) -> Embeddings:
    """Embeddings that look vectors up: the snapshot's are computed already.

    Stores embed a text of their own to learn the dimension; any unknown text gets a unit vector.
    """
    from langchain_core.embeddings import Embeddings

    rows = {text: row for row, text in enumerate(texts)}
    unit = [1.0, *[0.0] * (vectors.shape[1] - 1)]

    class KnownVectors(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [self.embed_query(text) for text in texts]

        def embed_query(self, text: str) -> list[float]:
            row = rows.get(text)
            return unit if row is None else [float(value) for value in vectors[row]]

    return KnownVectors()
