"""LangChain at the edge: our engine as a chat model, and any chat model as our engine.

chain = prompt | EngineChatModel(engine=engine)
engine = LangChainEngine(ChatOllama(model="..."))
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, SkipValidation

from chatbot.answering.engine import (
    Engine,
    EngineBusy,
    EngineFailed,
    GenerationRequest,
)
from chatbot.answering.openai_engine import as_messages
from chatbot.answering.prompt import PromptSegment, Role
from chatbot.answering.stream import EngineStream

_MESSAGES = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


class EngineChatModel(BaseChatModel):
    """Ungated text of the engine: for experiments and evaluation, never for customers."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    engine: SkipValidation[Engine]
    max_new_tokens: int = 160
    temperature: float = 0.0

    @property
    def _llm_type(self) -> str:
        return f"deskgate-{self.engine.name}"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        # The engine talks to one event loop at a time per call; a synchronous caller gets its own.
        return asyncio.run(self._agenerate(messages, stop, None, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        pieces = [chunk.text async for chunk in self._astream(messages, stop, None, **kwargs)]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="".join(pieces)))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = GenerationRequest(
            segments=as_segments(messages),
            max_new_tokens=int(kwargs.get("max_tokens", self.max_new_tokens)),
            temperature=float(kwargs.get("temperature", self.temperature)),
        )
        said = ""
        async with aclosing(self.engine.stream(request)) as pieces:
            async for piece in pieces:
                said += piece
                ends = [at for word in stop or () if (at := said.find(word)) >= 0]
                if ends:
                    # The last piece up to the stop word; what was sent before stays sent.
                    piece = piece[: max(0, min(ends) - (len(said) - len(piece)))]  # noqa: PLW2901
                chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
                if run_manager is not None:
                    await run_manager.on_llm_new_token(piece, chunk=chunk)
                yield chunk
                if ends:
                    return


class LangChainEngine:
    """A LangChain chat model behind the engine protocol."""

    name = "langchain"

    def __init__(self, model: BaseChatModel, max_waiting: int = 32) -> None:
        self.model_version = type(model).__name__
        self.max_waiting = max_waiting
        self._model = model
        self.open = 0
        self._closed = False

    def ensure_room(self) -> None:
        if self._closed:
            raise EngineFailed("this engine is closed")
        if self.open >= self.max_waiting:
            raise EngineBusy(f"{self.open} answers are being written", retry_after_s=2)

    def stream(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        if not request.accepted or self._closed:
            self.ensure_room()
        self.open += 1
        return EngineStream(self._pieces(request), request.deadline_s, self._ended)

    async def doubt(self, request: GenerationRequest) -> float | None:
        return None  # such a model was not trained on the abstention

    def _ended(self) -> None:
        self.open -= 1

    async def close(self) -> None:
        """Takes no more requests. The model belongs to who made it."""
        self._closed = True

    async def _pieces(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        if request.prefix:
            # LangChain has no common way to continue an answer; a rewritten prefix is worse.
            raise EngineFailed("this engine cannot continue a released answer")
        messages = [
            _MESSAGES[m["role"]](content=m["content"]) for m in as_messages(request.segments)
        ]
        try:
            async for chunk in self._model.astream(messages):
                if chunk.text:
                    yield str(chunk.text)
        except Exception as error:  # a chat model may raise anything of its own library
            raise EngineFailed(f"{self.model_version} failed ({type(error).__name__})") from error


def as_segments(messages: Sequence[BaseMessage]) -> tuple[PromptSegment, ...]:
    """LangChain messages as segments; whatever is not system or assistant is the customer's."""
    roles: dict[str, Role] = {"system": "instructions", "ai": "bot"}
    return tuple(PromptSegment(roles.get(m.type, "customer"), str(m.text)) for m in messages)
