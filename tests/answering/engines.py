"""One of each engine for the contract: real small models, and a fake model server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx
from langchain_core.language_models import FakeListChatModel

from chatbot.answering.base_model import prepare_base_model
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.langchain_model import LangChainEngine
from chatbot.answering.openai_engine import OpenAIEngine
from chatbot.answering.openvino_engine import OpenVINOEngine
from chatbot.answering.openvino_process import PipelineOptions
from chatbot.answering.scripted import ScriptedEngine
from chatbot.answering.transformers_engine import TransformersEngine
from chatbot.settings import Settings

NAMES = ("transformers", "openvino", "scripted", "openai", "langchain")
SAID = (
    "You can return a jacket within 60 days of delivery with its labels attached. "
    "Please keep 日本語 🎒 é safe until the parcel has reached us and the refund is paid."
)
PAUSE_S = 0.02  # between the words of a fake, so that there is something to interrupt


def make_engine(name: str, settings: Settings) -> Engine:
    """Loads it; ``settings`` say where the base model lies."""
    if name == "transformers":
        prepare_base_model(settings)
        return TransformersEngine.from_settings(settings)
    if name == "openvino":
        # The untrained base is torn between two words; rounding to bfloat16 decides by chance.
        return OpenVINOEngine.from_settings(settings, PipelineOptions(exact=True))
    if name == "openai":
        transport = httpx.MockTransport(model_server)
        return OpenAIEngine("http://models.test/v1", "m", "key", transport=transport)
    if name == "langchain":
        return LangChainEngine(FakeListChatModel(responses=[SAID], sleep=PAUSE_S / 5))
    return ScriptedEngine(_scripted, delay_s=PAUSE_S)


def _scripted(request: GenerationRequest) -> str:
    return " ".join(SAID.split(" ")[: request.max_new_tokens])


async def model_server(request: httpx.Request) -> httpx.Response:
    """An OpenAI-compatible server that continues the last assistant message, as vLLM does."""
    asked = json.loads(request.content)
    last = asked["messages"][-1]
    prefix = last["content"] if last["role"] == "assistant" else ""

    async def body() -> AsyncIterator[bytes]:
        text = " ".join(SAID.split(" ")[: asked["max_tokens"]])
        for piece in re.findall(r"\s*\S+", text.removeprefix(prefix)):
            await asyncio.sleep(PAUSE_S)
            event = {"choices": [{"delta": {"content": piece}}]}
            yield f"data: {json.dumps(event)}\n\n".encode()
        yield b"data: [DONE]\n\n"

    return httpx.Response(200, content=body())
