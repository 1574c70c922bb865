"""Text to windows of token ids with character offsets.

Truncation is set once, so that ``encode_batch`` may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from knowledge_base.batching import Row, padded
from knowledge_base.encoder import EncoderFiles, pad_id

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WINDOW_TOKENS = 192
STRIDE_TOKENS = 32  # longer than any span: an entity is whole in at least one window
UNKNOWN = ("[UNK]", "<unk>")
MAX_CHARS = 8000  # twice the longest message that the server takes; the rest is not read


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of one text. ``offsets`` are (0, 0) for special tokens."""

    row: int
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]


class Tokens:
    """Windows of texts, and the padded arrays of a batch of windows."""

    def __init__(self, files: EncoderFiles) -> None:
        self.backend: Tokenizer = files.fast_tokenizer(WINDOW_TOKENS)
        self.backend.enable_truncation(WINDOW_TOKENS, stride=STRIDE_TOKENS)
        self._unknown = {self.backend.token_to_id(name) for name in UNKNOWN}

    def windows(self, texts: Sequence[str]) -> list[Window]:
        """At least one window a text, in the order of the texts."""
        found: list[Window] = []
        for row, encoding in enumerate(self.backend.encode_batch([t[:MAX_CHARS] for t in texts])):
            for piece in (encoding, *encoding.overflowing):
                offsets = tuple(
                    (0, 0) if special else (int(span[0]), int(span[1]))
                    for span, special in zip(piece.offsets, piece.special_tokens_mask, strict=True)
                )
                found.append(Window(row, tuple(piece.ids), offsets))
        return found

    def of_each(self, texts: Sequence[str]) -> list[list[Window]]:
        """The windows of each text."""
        found: list[list[Window]] = [[] for _ in texts]
        for window in self.windows(texts):
            found[window.row].append(window)
        return found

    def readable(self, window: Window) -> bool:
        """Whether the vocabulary knows any token of it: not for emoji or foreign scripts alone."""
        return any(
            end > start and token not in self._unknown
            for token, (start, end) in zip(window.ids, window.offsets, strict=True)
        )

    def arrays(self, windows: Sequence[Window]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and attention mask, both of shape (windows, longest)."""
        ids, mask, _ = padded([Row(window.ids) for window in windows], pad_id(self.backend))
        return ids, mask
