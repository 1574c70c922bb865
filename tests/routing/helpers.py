"""Screenings and predictions, stated in a line."""

from __future__ import annotations

from chatbot.types import Entity, Language, Prediction, Screening, Tone


def screening(
    text: str,
    *,
    redacted: str | None = None,
    entities: tuple[Entity, ...] = (),
    tone: Tone = Tone.CALM,
    language: str | None = "en",
    crisis: bool = False,
) -> Screening:
    return Screening(
        text=text,
        redacted=text if redacted is None else redacted,
        entities=entities,
        placeholders={},
        tone=tone,
        scores={},
        injection=0.0,
        crisis=crisis,
        language=Language(language, 0.99),
    )


def prediction(
    *intents: tuple[str, float], out_of_scope: float = 0.1, entities: tuple[Entity, ...] = ()
) -> Prediction:
    return Prediction(intents, out_of_scope > 0.5, out_of_scope, entities)
