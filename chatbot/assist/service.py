"""Drafts for human agents, from the same turn; staff see drafts, never ``Released`` for sale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatbot.conversations.records import sentences_json
from chatbot.desk import Desk
from chatbot.errors import BadInput
from chatbot.safety.pii import restore
from chatbot.safety.released import KEPT, Draft
from chatbot.steps import (
    Answered,
    HandedOver,
    Held,
    Replied,
    SentenceReleased,
    TurnRequest,
    Understood,
)
from chatbot.turn import run_turn
from chatbot.types import Action, Citation, HistoryMessage, Passage, Verdict

STAFF_AUDIENCES = ("public", "internal")  # internal articles serve assist only
MAX_TRANSCRIPT = 40

NEXT_STEPS: dict[Action, str] = {
    Action.ANSWER: "Answer from the cited articles.",
    Action.TEMPLATE: "A short courtesy is enough.",
    Action.ASK_SLOT: "Ask for what is missing.",
    Action.HANDOVER: "This needs a person: look into the customer's own case.",
    Action.ALWAYS_REVIEW: "The policy wants a person's decision before any promise.",
    Action.CLARIFY: "Ask which of the likely topics is meant.",
    Action.REFUSE: "This is outside what we help with; say so kindly.",
    Action.CRISIS: "Somebody may be in danger: follow the crisis guideline now.",
}


async def suggest(
    desk: Desk, transcript: list[HistoryMessage], known: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Drafts with citations, confidence and verdict for the transcript's last customer words.

    ``known`` are the values of placeholders that stand in the transcript; the agent reads drafts
    and summary with them, retrieval and prompt see none.
    """
    last = max(
        (index for index, message in enumerate(transcript) if message.role == "customer"),
        default=None,
    )
    if last is None:
        raise BadInput("the transcript has no message with role 'customer' to answer")
    history, placeholders = await desk.hidden(transcript[max(0, last - 6) : last], known or {})
    request = TurnRequest(
        question=restore(transcript[last].text, known or {}),
        history=history,
        placeholders=placeholders,
        audiences=STAFF_AUDIENCES,
        always_compose=True,
    )
    understood: Understood | None = None
    draft = Draft()
    passages: tuple[Passage, ...] = ()
    reply = ""
    async for step in run_turn(request, desk):
        match step:
            case Understood():
                understood = step
            case Held() | Answered():
                draft, passages = step.draft, step.passages
            case Replied() | HandedOver():
                reply = step.released.text
            case SentenceReleased():
                pass
    assert understood is not None  # noqa: S101 - the first step of every turn
    screening, route = understood.screening, understood.route
    if not passages:
        passages = tuple(await desk.retrieve([screening.redacted], 4, STAFF_AUDIENCES, floor=False))
    return {
        "drafts": [_draft_json(draft, passages, route.confidence)] if draft.kept() else [],
        "intent": route.intent,
        "confidence": round(route.confidence, 4),
        "entities": [entity.as_json() for entity in screening.entities],
        "tone": screening.tone.value,
        "articles": [
            {
                "article": p.article,
                "version": p.version,
                "title": p.title,
                "heading": p.heading,
                "text": p.text,
                "url": p.url,
                "audience": p.audience,
                "score": round(p.score, 4),
            }
            for p in passages
        ],
        "summary": _summary(
            [restore(m.text, known or {}) for m in transcript if m.role == "customer"]
        ),
        "next_step": NEXT_STEPS[route.action],
        "fixed_reply": reply,
        "route": route.as_json(),
    }


def _draft_json(draft: Draft, passages: tuple[Passage, ...], confidence: float) -> dict[str, Any]:
    """Text, verdict and support are of the sentences that stay; ``sentences`` has all."""
    decisions = [decision for decision in draft.decisions if decision.verdict in KEPT]
    supported = sorted({n for decision in decisions for n in decision.supported_by})
    support = [d.scores.get("grounding", 1.0) for d in decisions]
    held = any(decision.verdict is Verdict.HOLD for decision in decisions)
    return {
        "text": "".join(s.separator + s.text for s in draft.kept()).strip(),
        "citations": [Citation.of(n, passages[n - 1]).as_json() for n in supported],
        "confidence": round(min([confidence, *support]), 4),
        "verdict": (Verdict.HOLD if held else Verdict.RELEASE).value,
        "reasons": [
            {"code": reason.code.value, "detail": reason.detail}
            for decision in decisions
            for reason in decision.reasons
        ],
        "sentences": sentences_json(draft, -1),
    }


def _summary(words: list[str]) -> str:
    """The customer's first and last words: extractive, so that nothing is invented."""
    asked = [text.strip() for text in words]
    first, last = asked[0], asked[-1]
    head = first if len(first) <= 160 else first[:157] + "…"
    if len(asked) == 1:
        return f"The customer asks: {head}"
    tail = last if len(last) <= 160 else last[:157] + "…"
    return f"The customer began with: {head} They now say: {tail} ({len(asked)} messages.)"
