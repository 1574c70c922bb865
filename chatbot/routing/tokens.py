"""Text to windows of token ids with character offsets.

The fast tokenizer is used below transformers' wrapper: its truncation is set once, so that
``encode_batch`` may be called from several threads (the wrapper changes it at every call).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

WINDOW_TOKENS = 192
STRIDE_TOKENS = 32  # longer than any span: an entity is whole in at least one window
MAX_CHARS = 8000  # twice the longest message that the server takes; the rest is not read


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of one text. ``offsets`` are (0, 0) for special tokens."""

    row: int
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]


class Tokens:
    """Windows of texts, and the padded arrays of a batch of windows."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        backend: Tokenizer = tokenizer.backend_tokenizer
        backend.no_padding()
        backend.enable_truncation(WINDOW_TOKENS, stride=STRIDE_TOKENS)
        self._backend = backend
        self._pad: int = int(tokenizer.pad_token_id or 0)
        self._unknown: int | None = tokenizer.unk_token_id

    def windows(self, texts: Sequence[str]) -> list[Window]:
        """At least one window a text, in the order of the texts."""
        found: list[Window] = []
        for row, encoding in enumerate(self._backend.encode_batch([t[:MAX_CHARS] for t in texts])):
            for piece in (encoding, *encoding.overflowing):
                offsets = tuple(
                    (0, 0) if special else (int(span[0]), int(span[1]))
                    for span, special in zip(piece.offsets, piece.special_tokens_mask, strict=True)
                )
                found.append(Window(row, tuple(piece.ids), offsets))
        return found

    def readable(self, window: Window) -> bool:
        """Whether the vocabulary knows any token of it: not for emoji or foreign scripts alone."""
        return any(
            end > start and token != self._unknown
            for token, (start, end) in zip(window.ids, window.offsets, strict=True)
        )

    def arrays(self, windows: Sequence[Window]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and attention mask, both of shape (windows, longest)."""
        width = max(len(w.ids) for w in windows)
        ids = np.full((len(windows), width), self._pad, dtype=np.int64)
        mask = np.zeros((len(windows), width), dtype=np.int64)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = window.ids
            mask[row, : len(window.ids)] = 1
        return ids, mask
