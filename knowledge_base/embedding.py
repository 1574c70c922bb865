"""Embeds only what is new, and keeps what is done when a sync is interrupted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge_base.chunking import Chunk
from knowledge_base.encoder import TextEncoder

BATCH = 64  # texts between two reports; 1 to 2 s on two cores
_DIGEST_BYTES = 16

Progress = Callable[[str, int, int], None]
"""(stage, done, total)"""


def embed_chunks(
    chunks: Sequence[Chunk],
    encoder: TextEncoder,
    known: Mapping[str, NDArray[np.float32]],
    folder: Path,
    progress: Progress,
) -> tuple[NDArray[np.float32], int]:
    """Vectors of shape (len(chunks), dimension), and how many had to be embedded.

    ``known`` maps digests to vectors of the same encoder. Finished batches are appended to a
    file in ``folder``, which a later run of an interrupted sync reads first.
    """
    partial = Partial(folder, encoder)
    found = partial.read()
    texts = {
        chunk.digest: chunk.embedded
        for chunk in chunks
        if chunk.digest not in known and chunk.digest not in found
    }
    missing = sorted(texts, key=lambda digest: len(texts[digest]))  # less padding in a batch
    done = len(found)
    progress("embed", done, done + len(missing))
    for start in range(0, len(missing), BATCH):
        digests = missing[start : start + BATCH]
        vectors = encoder.embed([texts[digest] for digest in digests])
        partial.append(digests, vectors)
        found |= dict(zip(digests, vectors, strict=True))
        progress("embed", done + start + len(digests), done + len(missing))
    matrix = np.empty((len(chunks), encoder.dimension), dtype=np.float32)
    for row, item in enumerate(chunks):
        vector = known.get(item.digest)
        matrix[row] = found[item.digest] if vector is None else vector
    return matrix, len(missing)


class Partial:
    """Vectors of an unfinished sync: records of 16 digest bytes and float32 values."""

    def __init__(self, folder: Path, encoder: TextEncoder) -> None:
        key = hashlib.sha256(encoder.name.encode()).hexdigest()[:12]
        self.path = folder / f"partial-{key}.bin"
        self._dimension = encoder.dimension

    def read(self) -> dict[str, NDArray[np.float32]]:
        """What was finished; a record cut off by a crash is left out."""
        if not self.path.exists():
            return {}
        size = _DIGEST_BYTES + 4 * self._dimension
        data = self.path.read_bytes()
        whole = len(data) - len(data) % size
        if whole != len(data):
            with self.path.open("r+b") as stream:
                stream.truncate(whole)
        return {
            data[at : at + _DIGEST_BYTES].hex(): np.frombuffer(
                data, np.float32, self._dimension, at + _DIGEST_BYTES
            )
            for at in range(0, whole, size)
        }

    def append(self, digests: Sequence[str], vectors: NDArray[np.float32]) -> None:
        records = [
            bytes.fromhex(digest) + vector.astype(np.float32).tobytes()
            for digest, vector in zip(digests, vectors, strict=True)
        ]
        with self.path.open("ab") as stream:
            stream.write(b"".join(records))

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
