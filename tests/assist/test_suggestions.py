"""What an agent is offered."""

from __future__ import annotations

from dataclasses import replace

from chatbot.answering.engine import GenerationRequest
from chatbot.assist.service import suggest
from chatbot.types import HistoryMessage
from tests.support.desk import PASSAGES, ScriptedDesk, ScriptedEngine

UNITS = (("Do not use soap, hot water or a dishwasher.", 0.9), ("Flush it backwards.", 0.3))
PASSAGE = replace(PASSAGES[0], text=" ".join(text for text, _ in UNITS), units=UNITS)


async def test_a_sentence_that_gave_way_is_told_but_not_in_the_draft() -> None:
    engine = ScriptedEngine("Use a dishwasher, because you should not use soap [1].")
    desk = ScriptedDesk(engine, passages=[PASSAGE])
    found = await suggest(desk, [HistoryMessage("customer", "Can it go in the dishwasher?")])
    (draft,) = found["drafts"]
    assert draft["text"] == UNITS[0][0]
    assert draft["verdict"] == "release"
    assert draft["reasons"] == []
    assert [s["verdict"] for s in draft["sentences"]] == ["replace", "release"]


async def test_where_nothing_stays_there_is_no_draft() -> None:
    desk = ScriptedDesk(ScriptedEngine("thinks so, perhaps [1]."), passages=[])
    found = await suggest(desk, [HistoryMessage("customer", "Is there life on Mars?")])
    assert found["drafts"] == []


async def test_the_prompt_sees_no_personal_data_and_the_agent_does() -> None:
    seen = []

    def answer(request: GenerationRequest) -> str:
        seen.append(request)
        return "We write to <EMAIL_1> about order <ORDER_ID_1> [1]."

    desk = ScriptedDesk(ScriptedEngine(answer))
    said = [
        HistoryMessage("customer", "My order is <ORDER_ID_1>."),
        HistoryMessage("bot", "Thanks."),
        HistoryMessage("person", "I write to jo@mail.example."),
        HistoryMessage("customer", "How long will <ORDER_ID_1> take?"),
    ]
    found = await suggest(desk, said, {"<ORDER_ID_1>": "LM-4471203"})
    assert "jo@mail.example" not in repr(seen)
    text = found["drafts"][0]["text"]
    assert text.startswith("We write to jo@mail.example about order LM-4471203.")
    assert "LM-4471203" in found["summary"]
