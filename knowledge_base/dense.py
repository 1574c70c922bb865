"""Nearest neighbours by inner product of unit vectors, with FAISS.

Up to ``FLAT_LIMIT`` vectors the search is exact. Above, a graph (HNSW, Malkov and Yashunin
2016, https://arxiv.org/abs/1603.09320) is used, whose recall is measured when it is built.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FLAT_LIMIT = 20_000  # an exact search of 20,000 × 384 takes 2 to 3 ms on one core
HNSW_LINKS = 32
HNSW_BUILD_EFFORT = 120
HNSW_SEARCH_EFFORT = 160


class VectorIndex(Protocol):
    """What a snapshot searches by vector. Row i is chunk i; vectors are L2-normalised."""

    @property
    def kind(self) -> str: ...

    @property
    def recall(self) -> float:
        """Share of the exact top 10 that it finds, measured when it was built."""
        ...

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]: ...


class DenseIndex:
    """An immutable index over vectors of shape (n, dimension), float32, L2-normalised."""

    def __init__(self, index: Any, recall: float = 1.0) -> None:
        self._index = index
        self._recall = recall

    @property
    def recall(self) -> float:
        return self._recall

    @property
    def kind(self) -> str:
        return "hnsw" if "HNSW" in type(self._index).__name__ else "flat"

    @classmethod
    def build(cls, vectors: NDArray[np.float32], flat_limit: int = FLAT_LIMIT) -> DenseIndex:
        faiss = _faiss()
        count, dimension = vectors.shape
        if count <= flat_limit:
            index = faiss.IndexFlatIP(dimension)
            index.add(vectors)
            return cls(index)
        index = faiss.IndexHNSWFlat(dimension, HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = HNSW_BUILD_EFFORT
        index.add(vectors)
        index.hnsw.efSearch = HNSW_SEARCH_EFFORT
        return cls(index, recall_of(lambda asked, k: index.search(asked, k)[1].tolist(), vectors))

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Row numbers of the nearest ``k`` allowed vectors, best first; fewer if there are fewer.

        ``vector`` has shape (dimension,), ``allowed`` shape (n,). Forbidden rows are passed
        over inside the search, so that they never take up one of the ``k`` places.
        """
        faiss = _faiss()
        available = self._index.ntotal if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, available)
        if k == 0:
            return np.empty(0, dtype=np.int64)
        parameters = None
        if available < self._index.ntotal:
            bits = np.packbits(np.asarray(allowed), bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)
            if self.kind == "hnsw":
                parameters = faiss.SearchParametersHNSW(
                    sel=selector, efSearch=max(HNSW_SEARCH_EFFORT, 2 * k)
                )
            else:
                parameters = faiss.SearchParameters(sel=selector)
        _, rows = self._index.search(vector[None, :], k, params=parameters)
        found: NDArray[np.int64] = rows[0][rows[0] >= 0]
        return found

    def save(self, path: Path) -> None:
        _faiss().write_index(self._index, str(path))

    @classmethod
    def load(cls, path: Path, recall: float = 1.0) -> DenseIndex:
        return cls(_faiss().read_index(str(path)), recall)


def _faiss() -> Any:
    """Loaded on first use; its own type hints lack most of what is used here."""
    return import_module("faiss")


def recall_of(
    search: Callable[[NDArray[np.float32], int], list[list[int]]],
    vectors: NDArray[np.float32],
    sample: int = 200,
    k: int = 10,
) -> float:
    """Share of the exact top ``k`` that ``search`` finds for vectors like those of questions.

    A question lies beside the passages, at a cosine of about 0.6; a passage's own vector would
    be too easy to find.
    """
    chooser = np.random.default_rng(0)
    rows = chooser.choice(len(vectors), min(sample, len(vectors)), replace=False)
    aside = chooser.normal(size=(len(rows), vectors.shape[1])).astype(np.float32)
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    asked = np.float32(0.6) * vectors[rows] + np.float32(0.8) * aside
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    exact = np.argpartition(-(asked @ vectors.T), min(k, len(vectors)) - 1, axis=1)[:, :k]
    found = search(asked, k)
    hits = sum(len(set(a) & set(b)) for a, b in zip(found, exact.tolist(), strict=True))
    return hits / exact.size
