"""What is done for a person in danger when no model can read the message."""

from __future__ import annotations

from chatbot.types import Action, Language, Reason, Route, Screening, Tone


def in_danger(text: str, reason: Reason) -> tuple[Screening, Route]:
    """What is known by words alone. Nothing is redacted, so nothing of it may be prompted."""
    screening = Screening(
        text=text,
        redacted="",
        entities=(),
        placeholders={},
        tone=Tone.CALM,
        scores={},
        injection=0.0,
        crisis=True,
        language=Language(None, 0.0),
        reasons=(reason,),
    )
    route = Route(
        intent="",
        confidence=0.0,
        out_of_scope=False,
        action=Action.CRISIS,
        why=reason.detail,
        urgent=True,
    )
    return screening, route
