"""Any OpenAI-compatible server as an engine: vLLM with ``--enable-lora``, Ollama, a cloud.

Segments become messages, so the server's own template keeps the customer's words apart. A
released prefix goes as the last, unfinished assistant message, which vLLM continues with
``continue_final_message``; a server that starts anew is caught: its repeat is cut off, and an
answer that does not begin with the prefix is refused.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx

from chatbot.answering.engine import EngineBusy, EngineFailed, GenerationRequest
from chatbot.answering.prompt import PromptSegment
from chatbot.answering.stream import EngineStream
from chatbot.errors import SetupError
from chatbot.settings import Settings

_ROLES = {"instructions": "system", "bot": "assistant", "person": "assistant"}


def as_messages(segments: tuple[PromptSegment, ...], prefix: str = "") -> list[dict[str, str]]:
    """Chat messages; neighbours of one role are joined, as many servers demand."""
    messages: list[dict[str, str]] = []
    for segment in segments:
        role = _ROLES.get(segment.role, "user")
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n\n{segment.text}"
        else:
            messages.append({"role": role, "content": segment.text})
    if prefix:
        messages.append({"role": "assistant", "content": prefix})
    return messages


class OpenAIEngine:
    """Streams ``/chat/completions``. ``max_waiting``: requests open at once before EngineBusy."""

    name = "openai"

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        max_waiting: int = 32,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.model_version = f"{model}@{httpx.URL(base_url).host}"
        self.max_waiting = max_waiting
        self._model = model
        self.open = 0
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            transport=transport,
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> OpenAIEngine:
        if not settings.openai_base_url:
            raise SetupError(
                "CHATBOT_ENGINE=openai needs CHATBOT_OPENAI_BASE_URL, such as "
                "http://127.0.0.1:8001/v1"
            )
        if settings.answer_model.startswith("package:"):
            raise SetupError(
                "CHATBOT_ENGINE=openai needs CHATBOT_ANSWER_MODEL, the model's name on that server"
            )
        key = settings.openai_api_key
        return cls(
            settings.openai_base_url,
            settings.answer_model,
            key.get_secret_value() if key else None,
            settings.engine_queue,
        )

    def ensure_room(self) -> None:
        if self._client.is_closed:
            raise EngineFailed("the connection to the model server is closed")
        if self.open >= self.max_waiting:
            raise EngineBusy(f"{self.open} answers are being written", retry_after_s=2)

    def stream(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        if not request.accepted or self._client.is_closed:
            self.ensure_room()
        self.open += 1
        return EngineStream(self._pieces(request), request.deadline_s, self._ended)

    async def doubt(self, request: GenerationRequest) -> float | None:
        return None  # such a model was not trained on the abstention

    def _ended(self) -> None:
        self.open -= 1

    async def close(self) -> None:
        await self._client.aclose()

    async def _pieces(self, request: GenerationRequest) -> AsyncGenerator[str, None]:
        try:
            async with self._client.stream(
                "POST", "chat/completions", json=self._body(request), timeout=request.deadline_s
            ) as response:
                if response.status_code != httpx.codes.OK:
                    detail = (await response.aread())[:200].decode("utf-8", "replace")
                    raise EngineFailed(f"the model server said {response.status_code}: {detail}")
                async for piece in _after_prefix(_deltas(response), request.prefix):
                    yield piece
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise EngineFailed(f"the model server failed ({type(error).__name__})") from error

    def _body(self, request: GenerationRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": as_messages(request.segments, request.prefix),
            "max_tokens": request.max_new_tokens,
            "temperature": request.temperature,
            "stream": True,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.prefix:
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body


async def _deltas(response: httpx.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        for choice in json.loads(data).get("choices", ()):
            if text := (choice.get("delta") or {}).get("content"):
                yield str(text)


async def _after_prefix(pieces: AsyncIterator[str], prefix: str) -> AsyncIterator[str]:
    """Drops a repeat of the prefix at the start. A server that neither repeats nor continues
    is known by its first letter: a continuation begins with white space."""
    start = ""
    decided = not prefix
    async for piece in pieces:
        if decided:
            yield piece
            continue
        start += piece
        if len(start) < len(prefix) and prefix.startswith(start):
            continue
        if start.startswith(prefix):
            start = start.removeprefix(prefix)
        elif not start[0].isspace():
            raise EngineFailed("the model server did not continue the released text")
        decided = True
        if start:
            yield start
