"""Texts that say nearly the same in nearly the same words: MinHash over word pairs.

A. Broder, "On the resemblance and containment of documents", 1997; banding as in J. Leskovec,
A. Rajaraman, J. Ullman, "Mining of Massive Datasets", ch. 3. Candidates of a band are checked by
their real Jaccard index, so nothing is called a duplicate by chance.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

HASHES, BANDS = 64, 16
"""Four hashes a band: two texts with 80% of their pairs in common share a band in 99.98%."""
ALIKE = 0.8
_PRIME = (1 << 61) - 1
_WORD = re.compile(r"\w+")


class NearDuplicates:
    """Remembers texts; ``match`` finds an earlier one that is nearly the same."""

    def __init__(self, alike: float = ALIKE, seed: int = 1) -> None:
        self.alike = alike
        rng = np.random.default_rng(seed)
        self._a = rng.integers(1, 2**31, HASHES, dtype=np.uint64)
        self._b = rng.integers(0, 2**31, HASHES, dtype=np.uint64)
        self._buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        self._shingles: list[frozenset[int]] = []

    def match(self, text: str) -> int | None:
        """Number of the first remembered text that is as good as the same, else None."""
        own = shingles(text)
        seen: set[int] = set()
        for key in self._keys(own):
            for number in self._buckets.get(key, ()):
                if number not in seen:
                    seen.add(number)
                    if jaccard(own, self._shingles[number]) >= self.alike:
                        return number
        return None

    def add(self, text: str) -> int:
        """Its number."""
        own = shingles(text)
        for key in self._keys(own):
            self._buckets[key].append(len(self._shingles))
        self._shingles.append(own)
        return len(self._shingles) - 1

    def _keys(self, own: frozenset[int]) -> list[tuple[int, bytes]]:
        values = np.fromiter(own, np.uint64, len(own))
        hashed: NDArray[np.uint64] = (
            (values[:, None] * self._a[None, :] + self._b[None, :]) % np.uint64(_PRIME)
        ).min(axis=0)
        size = HASHES // BANDS
        return [(n, hashed[n * size : (n + 1) * size].tobytes()) for n in range(BANDS)]


def shingles(text: str) -> frozenset[int]:
    """Pairs of neighbouring words, case and marks ignored; the words themselves where there are
    fewer than three."""
    words = _WORD.findall(text.lower())
    pairs: Sequence[str] = [f"{a} {b}" for a, b in pairwise(words)]
    chosen = pairs if len(words) > 2 else words or [""]
    return frozenset(_number(piece) for piece in chosen)


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / (len(one | other) or 1)


def _number(piece: str) -> int:
    return zlib.crc32(piece.encode())  # the same in every process, unlike hash()
