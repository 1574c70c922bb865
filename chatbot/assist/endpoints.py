"""HTTP of the second consumer: help for human agents, moderation and classification."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chatbot.assist.service import MAX_TRANSCRIPT, suggest
from chatbot.conversations.schemas import Body
from chatbot.errors import BadInput
from chatbot.safety.openai_moderation import openai_result
from chatbot.storage.ids import new_id
from chatbot.types import HistoryMessage, Side
from chatbot.web.context import Agent, Ctx

router = APIRouter(prefix="/v1", tags=["assist"])

MAX_TEXT = 100_000
MAX_INPUTS = 128  # texts of one request to /v1/moderations


class TranscriptMessage(Body):
    role: Literal["customer", "bot", "person"]
    text: Annotated[str, Field(max_length=MAX_TEXT)]


class SuggestBody(Body):
    transcript: list[TranscriptMessage] = Field(default_factory=list, max_length=500)
    conversation_id: str | None = None


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ModerationBody(BaseModel):
    """OpenAI's request; ``model`` is accepted and ignored. Parts are one text, strings several."""

    input: (
        str
        | Annotated[list[str], Field(max_length=MAX_INPUTS)]
        | Annotated[list[TextPart], Field(max_length=MAX_INPUTS)]
    )
    model: str | None = None

    def texts(self) -> list[str]:
        if isinstance(self.input, str):
            return [self.input]
        parts = [part.text for part in self.input if isinstance(part, TextPart)]
        return ["\n".join(parts)] if parts else [t for t in self.input if isinstance(t, str)]


class ClassifyBody(Body):
    text: Annotated[str, Field(max_length=MAX_TEXT)]


@router.post("/assist/suggestions")
async def suggestions(body: SuggestBody, _staff: Agent, ctx: Ctx) -> dict[str, Any]:
    transcript = [HistoryMessage(message.role, message.text) for message in body.transcript]
    known: dict[str, str] = {}
    if body.conversation_id is not None:
        said, known = await ctx.staff.transcript(body.conversation_id)
        transcript = said + transcript
    if not transcript:
        raise BadInput("send a `transcript` or a `conversation_id` with messages")
    return await suggest(ctx.desk, transcript[-MAX_TRANSCRIPT:], known)


@router.post("/moderations")
async def moderations(body: ModerationBody, _staff: Agent, ctx: Ctx) -> dict[str, Any]:
    """Source: https://platform.openai.com/docs/api-reference/moderations"""
    texts = body.texts()
    if not texts:
        raise BadInput("`input` is empty; send a text or a list of texts")
    results = [openai_result(await ctx.desk.moderate(text, Side.BOT)) for text in texts]
    return {"id": new_id("modr"), "model": ctx.desk.toxicity_name, "results": results}


@router.post("/classify")
async def classify(body: ClassifyBody, _staff: Agent, ctx: Ctx) -> dict[str, Any]:
    return await ctx.desk.classify(body.text)
