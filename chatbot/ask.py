"""One turn in the terminal, through the same gate as everybody."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from chatbot.conversations.records import as_json, sentences_json
from chatbot.desk import Desk
from chatbot.loading import load_desk
from chatbot.prepare import prepare
from chatbot.settings import Settings
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


async def ask_once(settings: Settings, text: str) -> dict[str, Any]:
    await prepare(settings)
    desk = await asyncio.to_thread(load_desk, settings)
    try:
        return await one_turn(desk, TurnRequest(question=text))
    finally:
        await desk.close()


async def one_turn(desk: Desk, request: TurnRequest) -> dict[str, Any]:
    """The turn as one JSON object: what was read, what was said, and why."""
    started = time.perf_counter()
    found: dict[str, Any] = {
        "reply": "",
        "citations": [],
        "related": [],
        "sentences": [],
        "passages": [],
        "first_sentence_s": None,
    }
    async for step in run_turn(request, desk):
        match step:
            case Understood(screening=screening, route=route):
                found |= {
                    "intent": route.intent,
                    "confidence": round(route.confidence, 4),
                    "action": route.action.value,
                    "why": route.why,
                    "entities": [as_json(entity) for entity in screening.entities],
                    "tone": screening.tone.value,
                }
            case SentenceReleased():
                if found["first_sentence_s"] is None:
                    found["first_sentence_s"] = round(time.perf_counter() - started, 3)
                found["reply"] += step.sentence.separator + step.released.text
                found["citations"] += [
                    citation.as_json()
                    for citation in step.released.citations
                    if citation.as_json() not in found["citations"]
                ]
            case Replied():
                found["reply"] = f"{found['reply']}\n{step.released.text}".strip()
                found["related"] = [p.title for p in step.related]
                found["outcome"] = "replied"
            case HandedOver():
                found["reply"] = step.released.text
                found["outcome"] = "handed over" + (" urgently" if step.urgent else "")
            case Held():
                found |= {
                    "outcome": "held for review",
                    "reasons": [as_json(reason) for reason in step.reasons],
                    "draft": step.remainder,
                    "sentences": sentences_json(step.draft, step.first_held),
                    "passages": [as_json(passage) for passage in step.passages],
                }
            case Answered():
                found["outcome"] = "quoted" if step.quoted else "answered"
                found["sentences"] = sentences_json(step.draft, -1)
                found["passages"] = [as_json(passage) for passage in step.passages]
    found["reply"] = found["reply"].strip()
    return found


def render(found: dict[str, Any]) -> str:
    lines = [
        f"intent   {found['intent']} ({found['confidence']:.0%}) -> {found['action']}",
        f"outcome  {found['outcome']}",
    ]
    for entity in found["entities"]:
        lines.append(f"entity   {entity['label']}: {entity['text']}")
    for reason in found.get("reasons", []):
        lines.append(f"because  {reason['detail']}")
    if found["reply"]:
        lines += ["", found["reply"]]
    if found.get("draft"):
        lines += ["", "draft for the reviewer:", found["draft"]]
    if found["citations"]:
        lines.append("")
        lines += [f"[{c['number']}] {c['title']}  {c['url']}" for c in found["citations"]]
    if found["related"]:
        lines += ["", "nearest articles: " + "; ".join(dict.fromkeys(found["related"]))]
    return "\n".join(lines)
