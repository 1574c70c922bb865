"""OpenAI-compatible chat completions: the same turn, so everything is gated.

A held answer ends with ``finish_reason: "content_filter"`` and the held notice; there is no
conversation behind such a call, so nobody reviews it.
Source of the shapes: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from chatbot.conversations.endpoints import STREAM_HEADERS
from chatbot.conversations.ledger import HISTORY_MESSAGES
from chatbot.errors import BadInput
from chatbot.safety.released import Released, release_static
from chatbot.steps import Answered, HandedOver, Held, Replied, SentenceReleased, TurnRequest
from chatbot.storage.ids import new_id
from chatbot.supervised import supervised_turn
from chatbot.types import HistoryMessage
from chatbot.web.context import Agent, Context, Ctx

router = APIRouter(prefix="/v1", tags=["openai"])

MODEL = "deskgate"
MAX_MESSAGES = 100


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class CompletionBody(BaseModel):
    """Sampling fields are accepted and ignored: decoding is the company's decision."""

    model: str = MODEL
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool = False


@router.get("/models")
async def models(_staff: Agent, ctx: Ctx) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [
            {
                "id": MODEL,
                "object": "model",
                "created": 0,
                "owned_by": ctx.office.company.name,
                "answer_model": ctx.desk.engine.model_version,
            }
        ],
    }


@router.post("/chat/completions", response_model=None)
async def completions(
    body: CompletionBody, _staff: Agent, ctx: Ctx
) -> StreamingResponse | dict[str, Any]:
    question, history = _spoken(body, ctx.office.settings.max_message_chars)
    redacted, placeholders = await ctx.desk.hidden(history, {})
    rules = ctx.office.rules
    request = TurnRequest(
        question=question,
        history=redacted,
        placeholders=placeholders,
        # Nobody reads these answers: a sample of them would only be lost, but not everything.
        sampled=max(rules.share, ctx.desk.sample_rate) >= 1,
    )
    reply = _Reply(ctx, request)
    if body.stream:
        return StreamingResponse(
            reply.stream(), media_type="text/event-stream", headers=STREAM_HEADERS
        )
    return await reply.whole()


def _spoken(body: CompletionBody, limit: int) -> tuple[str, list[HistoryMessage]]:
    """The question and what was said before it. System and developer messages are not followed:
    the company's own policy is the system."""
    spoken = [m for m in body.messages if m.role in ("user", "assistant")]
    if not spoken or spoken[-1].role != "user" or not spoken[-1].text.strip():
        raise BadInput("the last message must be a non-empty one with role 'user'")
    if len(spoken[-1].text) > limit:
        raise BadInput(
            f"the last message has {len(spoken[-1].text):,} characters; at most {limit:,}"
        )
    history = [
        HistoryMessage("customer" if m.role == "user" else "bot", m.text[:limit])
        for m in spoken[:-1]
    ]
    return spoken[-1].text.strip(), history[-HISTORY_MESSAGES:]


class _Reply:
    def __init__(self, ctx: Context, request: TurnRequest) -> None:
        self.ctx, self.request = ctx, request
        self.id, self.created = new_id("chatcmpl"), int(time.time())
        self.finish_reason = "stop"
        self.citations: list[dict[str, Any]] = []

    async def _pieces(self) -> AsyncIterator[str]:
        """Only ``Released`` text, with the white space between sentences."""
        empty = True
        office = self.ctx.office
        steps = supervised_turn(
            self.request,
            self.ctx.desk,
            wanted=office.rules.reasons,
            deadline_s=office.settings.turn_deadline_s,
            name=self.id,
        )
        async for step in steps:
            released: Released | None = None
            separator = "" if empty else "\n"
            match step:
                case SentenceReleased():
                    released = step.released
                    separator = "" if empty else step.sentence.separator
                case Replied() | HandedOver():
                    released = step.released
                case Held():
                    released = release_static("held_notice", office.company.texts)
                    self.finish_reason = "content_filter"
                case Answered():
                    pass
            if released is not None:
                self.citations += [
                    {"title": c.title, "url": c.url, "quote": c.quote} for c in released.citations
                ]
                empty = False
                yield separator + released.text

    async def whole(self) -> dict[str, Any]:
        text = "".join([piece async for piece in self._pieces()])
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "finish_reason": self.finish_reason,
            "logprobs": None,
        }
        return self._envelope("chat.completion") | {
            "choices": [choice],
            "citations": self.citations,
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }

    async def stream(self) -> AsyncIterator[str]:
        yield self._chunk({"role": "assistant", "content": ""}, None)
        async for piece in self._pieces():
            yield self._chunk({"content": piece}, None)
        yield self._chunk({}, self.finish_reason)
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, str], finish_reason: str | None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        chunk = self._envelope("chat.completion.chunk") | {"choices": [choice]}
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": MODEL}
