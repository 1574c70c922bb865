from __future__ import annotations

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from chatbot.answering.engine import EngineFailed, GenerationRequest
from chatbot.answering.langchain_model import EngineChatModel, LangChainEngine
from chatbot.answering.prompt import PromptSegment
from chatbot.answering.scripted import ScriptedEngine


async def test_our_engine_is_a_chat_model() -> None:
    engine = ScriptedEngine("It is free [1]. And fast.")
    model = EngineChatModel(engine=engine)
    reply = await model.ainvoke([SystemMessage("Be kind."), HumanMessage("Free?")])
    assert reply.text == "It is free [1]. And fast."
    assert [segment.role for segment in engine.requests[0].segments] == ["instructions", "customer"]
    assert "".join([chunk.text async for chunk in model.astream("Free?")]) == reply.text


def test_it_answers_synchronous_callers_and_stops_at_a_word() -> None:
    model = EngineChatModel(engine=ScriptedEngine("One. Two. Three."))
    assert model.invoke("Count", stop=["Three"]).text == "One. Two. "


async def test_any_chat_model_is_an_engine() -> None:
    engine = LangChainEngine(FakeListChatModel(responses=["It is free."]))
    request = GenerationRequest((PromptSegment("question", "Free?"),))
    assert "".join([piece async for piece in engine.stream(request)]) == "It is free."


async def test_it_refuses_to_rewrite_what_is_released() -> None:
    engine = LangChainEngine(FakeListChatModel(responses=["x"]))
    with pytest.raises(EngineFailed, match="cannot continue"):
        await anext(engine.stream(GenerationRequest((), prefix="It is")))


async def test_a_failing_chat_model_is_a_failed_engine() -> None:
    engine = LangChainEngine(FakeListChatModel(responses=["abc"], error_on_chunk_number=1))
    with pytest.raises(EngineFailed, match="FakeListChatModel failed"):
        async for _ in engine.stream(GenerationRequest((PromptSegment("question", "?"),))):
            pass
