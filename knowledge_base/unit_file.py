"""What the larger encoder has read, in a file: a restart need not read a help centre again.

One file for each set of weights, below the folder of compiled networks. It holds the units of one
snapshot and is replaced as a whole, so nothing in it outlives the articles for longer than the
next reading. A unit is known by a digest of its text; of other weights the file is another, and
the old one is removed when the new one is written.

    one line of JSON    format, key, number of units, hidden, SHA-256 of the rest
    digests             16 bytes a unit
    lengths             uint16 a unit, tokens
    weights             float32 a token
    wholes              int8, hidden a unit
    tokens              int8, hidden a token

The file is mapped, not read: of a unit nobody asks about, nothing stays in memory.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge_base.files import write_pieces_atomically
from knowledge_base.mapped import forget_pages

log = logging.getLogger(__name__)

FORMAT = 1
DIGEST_BYTES = 16
MOST_BYTES = 400_000_000
"""Of the tokens: 6,000 units take 150 MB, and 600 MB if each were as long as can be read."""
SUFFIX = ".units"


class Vectors(Protocol):
    """One unit as it was read (``late_interaction.Read``)."""

    @property
    def tokens(self) -> NDArray[np.int8]: ...

    @property
    def weights(self) -> NDArray[np.float32]: ...

    @property
    def whole(self) -> NDArray[np.int8]: ...


Arrays = tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int8]]
"""Tokens of shape (tokens, hidden), weights (tokens,), whole (hidden,); read-only."""


class UnitFile:
    """``key`` stands for everything that the vectors depend on but the text."""

    def __init__(self, folder: Path, key: str) -> None:
        self._key = key
        self._names: frozenset[bytes] | None = None
        """What the file holds, as far as this process knows."""
        self.path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}{SUFFIX}"

    def read(self) -> dict[bytes, Arrays]:
        """By ``digest`` of the text; {} where there is no file. A damaged one is reported and
        removed, so that it is written again."""
        try:
            return self._mapped()
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("units are read anew: %s cannot be used (%s)", self.path, error)
            self.path.unlink(missing_ok=True)
            return {}

    def write(self, units: Mapping[str, Vectors]) -> bool:
        """Replaces the file by these units, if it holds others; a full disk is logged, since it
        only costs time. False where nothing was written."""
        names = frozenset(digest(text) for text in units)
        if not units or names == self._names:
            return False
        size = sum(one.tokens.nbytes for one in units.values())
        if size > MOST_BYTES:
            log.warning("%d units are not kept: they take %d bytes", len(units), size)
            return False
        header = json.dumps(_header(self._key, units)).encode() + b"\n"
        try:
            write_pieces_atomically(self.path, chain((header,), _body(units)))
            for other in self.path.parent.glob(f"*{SUFFIX}"):
                if other != self.path:
                    other.unlink(missing_ok=True)
        except OSError as error:
            log.warning("units that were read are not kept: %s (%s)", self.path, error)
            return False
        self._names = names
        return True

    def _mapped(self) -> dict[bytes, Arrays]:
        with self.path.open("rb") as stream:
            if self.path.stat().st_size > 2 * MOST_BYTES:
                raise ValueError("it is too large")
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        start = content.find(b"\n") + 1
        header: dict[str, Any] = json.loads(content[:start])
        if header["format"] != FORMAT or header["key"] != self._key:
            raise ValueError("it is of another format or of other weights")
        body = memoryview(content)[start:]
        if hashlib.sha256(body).hexdigest() != header["sha256"]:
            raise ValueError("it is not as it was written")
        found = _arrays(body, int(header["units"]), int(header["hidden"]))
        forget_pages(self.path)  # the check has read them all
        self._names = frozenset(found)
        return found


def digest(text: str) -> bytes:
    """What a unit is known by: SHA-256 of its text, cut."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:DIGEST_BYTES]


def _body(units: Mapping[str, Vectors]) -> Iterator[bytes]:
    read = units.values()
    yield b"".join(digest(text) for text in units)
    yield np.array([len(one.tokens) for one in read], dtype=np.uint16).tobytes()
    yield from (one.weights.astype(np.float32).tobytes() for one in read)
    yield from (one.whole.tobytes() for one in read)
    yield from (one.tokens.tobytes() for one in read)


def _header(key: str, units: Mapping[str, Vectors]) -> dict[str, Any]:
    hashed = hashlib.sha256()
    for piece in _body(units):
        hashed.update(piece)
    hidden = len(next(iter(units.values())).whole)
    return {
        "format": FORMAT,
        "key": key,
        "units": len(units),
        "hidden": hidden,
        "sha256": hashed.hexdigest(),
    }


def _arrays(body: memoryview, units: int, hidden: int) -> dict[bytes, Arrays]:
    names = [bytes(body[n * DIGEST_BYTES : (n + 1) * DIGEST_BYTES]) for n in range(units)]
    at = units * DIGEST_BYTES
    lengths = np.frombuffer(body[at : at + 2 * units], np.uint16).astype(np.int64)
    at += 2 * units
    total = int(lengths.sum())
    # Copied: after the header they lie anywhere, and sums want them on a multiple of four.
    weights = np.frombuffer(bytes(body[at : at + 4 * total]), np.float32)
    at += 4 * total
    wholes = np.frombuffer(body[at : at + units * hidden], np.int8).reshape(units, hidden)
    at += units * hidden
    tokens = np.frombuffer(body[at:], np.int8).reshape(total, hidden)
    ends = np.cumsum(lengths).tolist()
    starts = [0, *ends[:-1]]
    return {
        name: (tokens[start:end], weights[start:end], wholes[n])
        for n, (name, start, end) in enumerate(zip(names, starts, ends, strict=True))
    }
