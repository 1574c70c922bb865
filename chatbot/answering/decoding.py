"""Token by token through a causal LM on one thread, with two savings.

Both leave the answer as it is, up to rounding (in bfloat16 a near tie may fall otherwise).

Prefix cache: keys and values of the last prompt are kept, and the part that the next prompt
shares (instructions, often passages too) is not computed again.
Prompt lookup: answers copy from their passages, so the words that followed the last few
tokens earlier on are proposed and checked in one forward pass
(https://github.com/apoorvumang/prompt-lookup-decoding).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_MATCH_TOKENS = (4, 3, 2)
"""Lengths of the tail that is looked up, longest first."""

LOOKUP = 8
"""Tokens proposed at once by prompt lookup."""


class NotFinite(RuntimeError):
    """The model's scores hold NaN or infinity: its weights or the machine are broken."""


class Decoder:
    """Owns the model's cache; used by one thread at a time.

    ``lookup``: how many tokens are proposed at once, 0 for none.
    """

    def __init__(
        self, model: PreTrainedModel, stop_ids: Sequence[int], lookup: int = LOOKUP
    ) -> None:
        self._model: Any = model
        self._stop = frozenset(stop_ids)
        self._lookup = lookup
        self._ids: list[int] = []
        self._cache: Any = None

    def tokens(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        but: int | None = None,
    ) -> Iterator[int]:
        """New token ids, without the stop token; the first is not ``but``. Raises NotFinite."""
        import torch

        generator = torch.Generator().manual_seed(seed) if seed is not None else None
        ids = list(prompt)
        pending = self._shared(ids)
        proposed: list[int] = []
        count = 0
        while count < max_new_tokens:
            logits = self._forward([*pending, *proposed], len(proposed) + 1)
            if but is not None and count == 0:
                logits = logits.index_fill(-1, torch.tensor([but], device=logits.device), -math.inf)
            chosen = _choose(logits, temperature, generator)
            accepted = 0
            while accepted < len(proposed) and proposed[accepted] == chosen[accepted]:
                accepted += 1
            if accepted < len(proposed):
                self._crop(len(self._ids) - (len(proposed) - accepted))
            for token in chosen[: accepted + 1]:
                if token in self._stop or count >= max_new_tokens:
                    return
                ids.append(token)
                count += 1
                yield token
            pending = [ids[-1]]
            room = min(self._lookup, max_new_tokens - count - 1)
            proposed = _continuation(ids, room) if temperature == 0 else []

    def next_share(self, prompt: Sequence[int], token: int) -> float:
        """Probability that ``token`` comes next. Raises NotFinite."""
        return float(self._forward(self._shared(list(prompt)), 1)[-1].softmax(-1)[token])

    def _shared(self, ids: list[int]) -> list[int]:
        """Cuts the cache to what ``ids`` share with it; returns what is left to compute."""
        shared = 0
        limit = min(len(self._ids), len(ids) - 1)  # the last token's scores are needed
        while shared < limit and self._ids[shared] == ids[shared]:
            shared += 1
        self._crop(shared)
        return ids[shared:]

    def _crop(self, length: int) -> None:
        if length == 0:
            self._cache = None
        elif self._cache is not None and length < len(self._ids):
            self._cache.crop(length - len(self._ids))
        self._ids = self._ids[:length]

    def _forward(self, new: list[int], keep: int) -> torch.Tensor:
        import torch

        before = self._ids
        # A failure below must not leave a cache that says one thing and holds another.
        cache, self._cache, self._ids = self._cache, None, []
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.tensor([new], device=self._model.device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        logits: torch.Tensor = output.logits[0].float()
        if not bool(torch.isfinite(logits).all()):
            raise NotFinite("the model's scores are not finite numbers")
        self._cache, self._ids = output.past_key_values, [*before, *new]
        return logits


def _choose(
    logits: torch.Tensor, temperature: float, generator: torch.Generator | None
) -> list[int]:
    import torch

    if temperature <= 0:
        return [int(token) for token in logits.argmax(-1)]
    shares = torch.softmax(logits[-1:].cpu() / temperature, dim=-1)
    return [int(torch.multinomial(shares, 1, generator=generator))]


def _continuation(ids: list[int], count: int) -> list[int]:
    """What followed the last tokens when they stood before, most recent first."""
    if count <= 0:
        return []
    for length in _MATCH_TOKENS:
        tail = ids[-length:]
        for start in range(len(ids) - length - 1, -1, -1):
            if ids[start] == tail[0] and ids[start : start + length] == tail:
                return ids[start + length : start + length + count]
    return []
