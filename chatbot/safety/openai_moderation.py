"""A moderation in OpenAI's words, so that its clients can read it.

Source: https://platform.openai.com/docs/api-reference/moderations/object
"""

from __future__ import annotations

from typing import Any, Final

from chatbot.safety.moderation import Moderation

EQUIVALENTS: Final[dict[str, tuple[str, ...]]] = {
    "harassment": ("toxicity", "severe_toxicity", "insult"),
    "harassment/threatening": ("threat",),
    "hate": ("identity_attack",),
    "violence": ("threat",),
}
"""OpenAI's category -> ours that mean it; the worst of them counts."""
BOTH: Final = {"hate/threatening": ("identity_attack", "threat")}
NOT_JUDGED: Final = (
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence/graphic",
)
"""Categories of OpenAI's that no model here scores: always false and 0, with no input type."""


def openai_result(moderation: Moderation) -> dict[str, Any]:
    """One entry of ``results``: OpenAI's categories, then our own under their own names."""
    scores = dict(moderation.scores)
    flagged = {(reason.rule or "").rpartition(".")[2] for reason in moderation.reasons}
    categories: dict[str, bool] = {}
    values: dict[str, float] = {}
    for name, ours in EQUIVALENTS.items():
        categories[name] = not flagged.isdisjoint(ours)
        values[name] = max(scores.get(category, 0.0) for category in ours)
    for name, ours in BOTH.items():
        categories[name] = flagged.issuperset(ours)
        values[name] = min(scores.get(category, 0.0) for category in ours)
    judged = [*categories, *scores]
    categories |= dict.fromkeys(NOT_JUDGED, False)
    values |= dict.fromkeys(NOT_JUDGED, 0.0)
    return {
        "flagged": moderation.flagged,
        "categories": categories | {name: name in flagged for name in scores},
        "category_scores": values | scores,
        "category_applied_input_types": {
            name: ["text"] if name in judged else [] for name in (*values, *scores)
        },
    }
