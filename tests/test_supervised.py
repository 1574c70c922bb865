"""Turns end well, whoever runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatbot.desk import Desk
from chatbot.safety.policy import Policy
from chatbot.steps import Answered, HandedOver, Held, Replied, Step, TurnRequest, Understood
from chatbot.supervised import supervised_turn
from chatbot.types import HistoryMessage, Passage, Reason, ReasonCode, Route, Screening
from tests.support.desk import HOSTILE, PASSAGES, ScriptedDesk

WANTED = Reason(ReasonCode.ALWAYS_REVIEW, "The lead reads these.")
POLICY = Policy.load(Path("knowledge_base/sample/policy.toml"))


class Breaking(ScriptedDesk):
    """Its search breaks, or never ends."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    async def retrieve(self, *args: Any, **more: Any) -> list[Passage]:
        if self.how == "hang":
            await asyncio.sleep(60)
        raise ZeroDivisionError(self.how)


class Unreadable(ScriptedDesk):
    """Its models cannot read a message."""

    policy = POLICY
    stage_deadline_s = 5.0

    async def understand(
        self, text: str, history: Sequence[HistoryMessage], known: Mapping[str, str]
    ) -> tuple[Screening, Route]:
        return await Desk.understand(self, text, history, known)

    def _read(self, *args: Any) -> Any:
        raise MemoryError("no room for the model")


async def steps(desk: Desk, question: str, *wanted: Reason, deadline_s: float = 20.0) -> list[Step]:
    turn = supervised_turn(
        TurnRequest(question), desk, wanted=lambda _: wanted, deadline_s=deadline_s, name="t"
    )
    try:
        return [step async for step in turn]
    finally:
        await desk.close()


async def test_what_the_lead_wants_to_read_is_held_before_anything_streams() -> None:
    assert isinstance((await steps(ScriptedDesk(), "How long?"))[-1], Answered)
    first, held = await steps(ScriptedDesk(), "How long?", WANTED)
    assert isinstance(first, Understood)
    assert isinstance(held, Held)
    assert held.reasons == (WANTED,)
    assert held.remainder == "You have 60 days. Returns are free."


@pytest.mark.parametrize(
    ("how", "told"), [("crash", "broke (ZeroDivisionError)"), ("hang", "took too long")]
)
async def test_a_turn_that_breaks_is_held(how: str, told: str) -> None:
    held = (await steps(Breaking(how), "How long?", deadline_s=0.5))[-1]
    assert isinstance(held, Held)
    assert told in held.reasons[0].detail
    assert held.remainder == ""


async def test_plain_words_of_danger_are_answered_when_no_model_works() -> None:
    found = (await steps(Unreadable(), "I want to kill myself"))[-1]
    assert isinstance(found, HandedOver)
    assert found.urgent
    assert found.released.provenance == {"by": "static", "id": "crisis"}
    held = (await steps(Unreadable(), "How long do I have?"))[-1]
    assert isinstance(held, Held)
    assert "MemoryError" in held.reasons[0].detail


async def test_titles_offered_beside_a_reply_are_judged() -> None:
    rude = replace(PASSAGES[0], title=f"Only an {HOSTILE} asks", score=0.1)
    desk = ScriptedDesk(passages=[rude, PASSAGES[1]])

    async def nothing(*args: Any, floor: bool = True, **more: Any) -> list[Passage]:
        return [] if floor else desk.passages

    desk.retrieve = nothing  # type: ignore[method-assign]
    replied = (await steps(desk, "Is there life on Mars?"))[-1]
    assert isinstance(replied, Replied)
    assert [p.title for p in replied.related] == [PASSAGES[1].title]
