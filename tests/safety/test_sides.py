"""The bot answers for its own words only, and an answer carries the disclaimer of its intent."""

from __future__ import annotations

from typing import Any

import pytest

from chatbot.answering.scripted import ScriptedEngine
from chatbot.safety.gate import Candidate, CheckResult
from chatbot.safety.policy_rules import read_rules
from chatbot.steps import Answered, Held, SentenceReleased, Step, TurnRequest
from chatbot.turn import run_turn
from chatbot.types import Action, HistoryMessage, Verdict
from knowledge_base.settings import SAMPLE_COMPANY
from tests.support.desk import HOSTILE, ScriptedDesk, WordCheck, route_to

POLITE = "How long do I have to return boots?"
ANGRY = f"You {HOSTILE}, you absolute {HOSTILE}. {POLITE}"
SAID_BEFORE = (
    HistoryMessage("customer", f"Listen, {HOSTILE}!"),
    HistoryMessage("bot", "Good morning. How can I help?"),
    HistoryMessage("customer", f"{HOSTILE} {HOSTILE} {HOSTILE}"),
)


class Listening(WordCheck):
    """The check for hostile words, which keeps every candidate that it has judged."""

    def __init__(self) -> None:
        self.seen: list[Candidate] = []

    def run(self, candidate: Candidate) -> CheckResult:
        self.seen.append(candidate)
        return super().run(candidate)


async def steps(desk: ScriptedDesk, question: str, **request: Any) -> list[Step]:
    try:
        return [step async for step in run_turn(TurnRequest(question, **request), desk)]
    finally:
        await desk.close()


async def decisions(question: str, history: tuple[HistoryMessage, ...] = ()) -> list[object]:
    found = await steps(ScriptedDesk(), question, history=history)
    assert isinstance(found[-1], Answered)
    return [(s.sentence.text, s.decision) for s in found if isinstance(s, SentenceReleased)]


async def test_an_answer_is_judged_alike_whatever_the_customer_has_said() -> None:
    polite = await decisions(POLITE)
    assert polite
    assert await decisions(ANGRY) == polite
    assert await decisions(ANGRY, SAID_BEFORE) == polite


async def test_no_check_of_the_gate_ever_sees_the_customers_words() -> None:
    listening = Listening()
    await steps(ScriptedDesk(checks=[listening]), ANGRY, history=SAID_BEFORE)
    assert listening.seen
    for candidate in listening.seen:
        assert HOSTILE not in f"{candidate.in_context} {candidate.whole} {candidate.text}"


async def test_the_same_words_from_the_bot_are_held() -> None:
    found = await steps(ScriptedDesk(ScriptedEngine(f"You {HOSTILE} [1].")), POLITE)
    assert isinstance(found[-1], Held)
    assert found[-1].reasons


class Disclaiming(ScriptedDesk):
    def disclaimer(self, intent: str) -> str | None:
        return read_rules(SAMPLE_COMPANY / "policy.toml").disclaimers.get(intent)


WARRANTY = read_rules(SAMPLE_COMPANY / "policy.toml").disclaimers["warranty_repair"]


@pytest.mark.parametrize(("intent", "under"), [("warranty_repair", True), ("store_info", False)])
async def test_an_answer_ends_with_the_disclaimer_of_its_intent(intent: str, under: bool) -> None:
    desk = Disclaiming(route=lambda _: route_to(Action.ANSWER, intent=intent))
    found = await steps(desk, "Is a torn seam covered?")
    released = [s for s in found if isinstance(s, SentenceReleased)]
    assert len(released) > 1
    assert [s.sentence.text == WARRANTY for s in released] == [
        *[False] * (len(released) - 1),
        under,
    ]
    assert released[-1].decision.verdict is Verdict.RELEASE
    if under:
        assert released[-1].released.provenance == {"by": "static", "id": "disclaimer"}


async def test_no_disclaimer_follows_an_answer_that_is_held() -> None:
    desk = Disclaiming(
        ScriptedEngine(f"You {HOSTILE} [1]."),
        route=lambda _: route_to(Action.ANSWER, intent="warranty_repair"),
    )
    found = await steps(desk, "Is a torn seam covered?")
    assert isinstance(found[-1], Held)
    assert not [s for s in found if isinstance(s, SentenceReleased)]
