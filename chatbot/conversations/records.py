"""What is kept of an answer as JSON: its sentences with the gate's word on each, its sources."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from chatbot.safety.released import Draft
from chatbot.steps import Answered, Held
from chatbot.types import Citation


def as_json(value: Any) -> Any:
    """A dataclass of the turn's vocabulary as plain JSON values."""
    return json.loads(json.dumps(asdict(value), default=str))


def joined(sentences: list[dict[str, Any]]) -> str:
    return "".join(s["separator"] + s["text"] for s in sentences).strip()


def unique_citations(citations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One citation for each article and anchor, the first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for citation in citations:
        found.setdefault((citation["article"], citation["anchor"]), citation)
    return list(found.values())


def sentences_json(draft: Draft, first_held: int) -> list[dict[str, Any]]:
    """Each sentence with the gate's word on it, for reviewers and for the message's record."""
    return [
        {
            "text": sentence.text,
            "kind": sentence.kind.value,
            "separator": sentence.separator,
            "verdict": decision.verdict.value,
            "reasons": [as_json(reason) for reason in decision.reasons],
            "scores": {name: round(score, 4) for name, score in decision.scores.items()},
            "cited": list(sentence.cited),
            "supported_by": list(decision.supported_by),
            "released": decision.verdict.value == "release"
            and (first_held < 0 or index < first_held),
        }
        for index, (sentence, decision) in enumerate(
            zip(draft.sentences, draft.decisions, strict=True)
        )
    ]


def draft_citations(step: Held) -> list[dict[str, Any]]:
    """Passages that support a sentence of the remainder: shown if a person approves it."""
    numbers = sorted({n for d in step.draft.decisions[step.first_held :] for n in d.supported_by})
    return [Citation.of(n, step.passages[n - 1]).as_json() for n in numbers]


def explain(step: Answered) -> dict[str, Any]:
    return {
        "route": step.route.as_json(),
        "sentences": sentences_json(step.draft, -1),
        "quoted": step.quoted,
    }
