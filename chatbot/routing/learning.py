"""Messages that the router can learn from: unsure, corrected, or seen differently.

They are exported with PII replaced and without a label; a person gives each its ``intent``,
and ``finetune router --add FILE`` reads the labelled ones back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any, Final

from chatbot.conversations.office import Office
from chatbot.routing.learning_repository import Asked, asked
from chatbot.routing.model import RouterModel
from chatbot.types import Prediction

CORRECTED: Final = ("rejected",)
BORDER: Final = (0.25, 0.75)  # of the out-of-scope score, whose threshold is 0.5
BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Candidate:
    """``why`` are codes: low_confidence, out_of_scope_border, rejected, thumbs_down,
    neighbours_disagree, changed."""

    asked: Asked
    prediction: Prediction
    nearest: tuple[str, ...]
    """Intents of the nearest training examples."""
    why: tuple[str, ...]

    def as_row(self) -> dict[str, Any]:
        """A row to be labelled: ``intent`` is empty, ``guess`` is the router's."""
        return {
            "id": self.asked.id,
            "text": self.asked.text,
            "intent": None,
            "guess": self.prediction.intent,
            "confidence": round(self.prediction.confidence, 4),
            "alternatives": [name for name, _ in self.prediction.intents[1:4]],
            "nearest": list(self.nearest),
            "why": list(self.why),
        }


async def candidates(office: Office, router: RouterModel) -> AsyncIterator[Candidate]:
    """What is worth a person's label, once for each text. Oldest first."""
    seen: set[str] = set()
    batch: list[Asked] = []
    async for message in asked(office):
        key = " ".join(message.text.casefold().split())
        if key and key not in seen:
            seen.add(key)
            batch.append(message)
        if len(batch) == BATCH:
            for found in judged(batch, router):
                yield found
            batch = []
    for found in judged(batch, router):
        yield found


def judged(messages: Iterable[Asked], router: RouterModel) -> list[Candidate]:
    """Those of ``messages`` that the router of today is unsure of, or that went wrong."""
    known = list(messages)
    found = []
    for message, prediction in zip(
        known, router.predict([message.text for message in known]), strict=True
    ):
        nearest = tuple(n.intent for n in router.nearest(message.text, 3))
        why = _why(message, prediction, nearest, router.bands.act)
        if why:
            found.append(Candidate(message, prediction, nearest, why))
    return found


def _why(
    message: Asked, prediction: Prediction, nearest: tuple[str, ...], act: float
) -> tuple[str, ...]:
    codes = {
        "low_confidence": prediction.confidence < act,
        "out_of_scope_border": BORDER[0] <= prediction.out_of_scope_score <= BORDER[1],
        "rejected": message.resolution in CORRECTED,
        "thumbs_down": message.thumbs == "down",
        "neighbours_disagree": bool(nearest) and prediction.intent not in nearest,
        "changed": message.intent is not None and message.intent != prediction.intent,
    }
    return tuple(code for code, holds in codes.items() if holds)
