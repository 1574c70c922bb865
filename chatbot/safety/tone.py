"""How the customer sounds. Anger is a tone, never a reason to block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chatbot.types import Reason, ReasonCode, Tone

_HARSH: Final = (Tone.ANGRY, Tone.ABUSIVE, Tone.THREATENING)
_MILD: Final = tuple(tone for tone in Tone if tone not in _HARSH)


def harsh(probabilities: Mapping[Tone, float]) -> float:
    """Probability of the tones for which a person is called."""
    return sum(probabilities[tone] for tone in _HARSH)


def tone_of(
    probabilities: Mapping[Tone, float], abuse: float, threat: float, least: float = 0.0
) -> Tone:
    """The head's word, corrected by the toxicity model where that is surer.

    ``abuse`` and ``threat`` are scores divided by their thresholds: 1 and more is flagged. The head
    alone is believed to hear a harsh tone where their probability reaches ``least``.
    """
    heard = tuple(probabilities) if harsh(probabilities) >= least else _MILD
    tone = max(heard, key=lambda t: probabilities[t])
    if threat >= 1:
        return Tone.THREATENING
    if abuse >= 1 and tone is not Tone.THREATENING:
        # An insult flagged in calm words is quoted or aimed at a thing more often than not.
        return Tone.ABUSIVE if tone in _HARSH or abuse >= 1.5 else tone
    return tone


def threat_reason(
    tone: Tone,
    probabilities: Mapping[Tone, float],
    threshold: float,
    *,
    score: float,
    limit: float | None,
) -> Reason | None:
    """THREAT when the toxicity model flags one or the head is sure of one.

    ``score`` and ``limit`` are the toxicity model's; a limit of None means released by policy.
    """
    if limit is None:
        return None
    if score >= limit:
        return Reason(
            ReasonCode.THREAT,
            f"The customer's words sound like a threat: {score:.2f} reaches {limit:.2f}.",
            rule="toxicity.customer.threat",
            score=score,
            threshold=limit,
        )
    sure = probabilities[Tone.THREATENING]
    if tone is Tone.THREATENING and sure >= threshold:
        return Reason(
            ReasonCode.THREAT,
            f"The customer's words sound like a threat: {sure:.2f} reaches {threshold:.2f}.",
            rule="tone.threatening",
            score=sure,
            threshold=threshold,
        )
    return None
