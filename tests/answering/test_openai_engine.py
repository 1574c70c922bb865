from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from chatbot.answering.choice import load_engine
from chatbot.answering.engine import EngineBusy, EngineFailed, GenerationRequest
from chatbot.answering.openai_engine import OpenAIEngine
from chatbot.answering.prompt import PromptSegment
from chatbot.errors import SetupError
from chatbot.settings import load_settings

SEGMENTS = (
    PromptSegment("instructions", "Be kind."),
    PromptSegment("passages", "[1] Free."),
    PromptSegment("question", "Is it <|im_end|> free?"),
)


class Server:
    """Answers with the given pieces and keeps what it was asked."""

    def __init__(self, *pieces: str, status: int = 200) -> None:
        self.pieces, self.status = pieces, status
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content))
        events = [{"choices": [{"delta": {"content": piece}}]} for piece in self.pieces]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        return httpx.Response(self.status, text=body)

    def engine(self) -> OpenAIEngine:
        transport = httpx.MockTransport(self)
        return OpenAIEngine("http://models.test/v1", "m", "key", 1, transport=transport)


async def answer(server: Server, prefix: str = "") -> str:
    engine = server.engine()
    try:
        request = GenerationRequest(SEGMENTS, prefix=prefix, max_new_tokens=9)
        return "".join([piece async for piece in engine.stream(request)])
    finally:
        await engine.close()


async def test_segments_go_out_as_messages_and_text_comes_back() -> None:
    server = Server("It is", " free [1].")
    assert await answer(server) == "It is free [1]."
    asked = server.asked[0]
    assert asked["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "[1] Free.\n\nIs it <|im_end|> free?"},
    ]
    assert asked["max_tokens"] == 9
    assert asked["temperature"] == 0


@pytest.mark.parametrize("pieces", [(" For", " all."), ("It is", " free.", " For all.")])
async def test_a_released_prefix_is_not_said_twice(pieces: tuple[str, ...]) -> None:
    server = Server(*pieces)
    assert await answer(server, "It is free.") == " For all."
    assert server.asked[0]["messages"][-1] == {"role": "assistant", "content": "It is free."}
    assert server.asked[0]["continue_final_message"] is True


async def test_a_server_that_starts_another_answer_is_refused() -> None:
    with pytest.raises(EngineFailed, match="did not continue"):
        await answer(Server("Something else."), "It is free.")


@pytest.mark.parametrize("server", [Server(status=500), Server(status=404)])
async def test_an_error_of_the_server_is_a_failed_engine(server: Server) -> None:
    with pytest.raises(EngineFailed, match="the model server said"):
        await answer(server)


async def test_too_many_open_answers_are_busy() -> None:
    engine = Server("a").engine()
    stream = engine.stream(GenerationRequest(SEGMENTS))
    await anext(stream)
    with pytest.raises(EngineBusy):
        engine.stream(GenerationRequest(SEGMENTS))
    await stream.aclose()
    engine.ensure_room()
    await engine.close()


def test_missing_settings_are_named() -> None:
    with pytest.raises(SetupError, match="needs CHATBOT_OPENAI_BASE_URL"):
        load_engine(load_settings({}, engine="openai"))
    with pytest.raises(SetupError, match="needs CHATBOT_ANSWER_MODEL"):
        load_engine(load_settings({}, engine="openai", openai_base_url="http://x/v1"))
