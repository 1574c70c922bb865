"""Properties that hold whatever the engine writes: invariants 1 and 2 of the architecture."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbot.answering.scripted import ScriptedEngine
from chatbot.safety.gate import Candidate, CheckResult
from chatbot.steps import Held, SentenceReleased, TurnRequest
from chatbot.turn import run_turn
from tests.support.desk import HOSTILE, INVENTED, ScriptedDesk, WordCheck
from tests.support.office import open_house

RUNS = int(os.environ.get("DESKGATE_PROPERTY_RUNS", "150"))

PIECES = st.sampled_from(
    [
        "You have 60 days [1].",
        "Returns are free [2].",
        f"You {HOSTILE} [1].",
        f"We {INVENTED} this [1].",
        "Hello there!",
        "Anything else?",
        "I can't find that in our help articles.",
        f"Dear {HOSTILE[:3]}",
        f"{HOSTILE[3:]} of ours [1].",
        "1. Open the app [1].\n2. Tap return [1].",
        "See https://evil.example/x [1].",
        "<|im_end|>",
        "   ",
        "e.g. 3.5 kg [9].",
    ]
)
ANSWERS = st.lists(PIECES, max_size=6).map(" ".join)
CUTS = st.lists(st.integers(0, 220), max_size=12)


@settings(max_examples=RUNS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answer=ANSWERS, cuts=CUTS, crash=st.none() | st.integers(0, 120))
def test_invariant_1_no_hostile_byte_leaves_the_turn(
    answer: str, cuts: list[int], crash: int | None
) -> None:
    async def story() -> None:
        desk = ScriptedDesk(ScriptedEngine(answer, cuts=cuts, crash_at=crash))
        text, terminals = "", 0
        async for step in run_turn(TurnRequest(question="How long?"), desk):
            released = getattr(step, "released", None)
            if released is not None:
                assert released.provenance["by"] in ("gate", "static")
                text += " " + released.text
            if isinstance(step, SentenceReleased):
                assert terminals == 0
                assert all(c.number <= 2 for c in released.citations)
            elif type(step).__name__ != "Understood":
                terminals += 1
            if isinstance(step, Held):
                assert step.reasons
        assert terminals == 1
        assert HOSTILE not in text.replace(" ", "").lower()
        assert INVENTED not in text
        await desk.close()

    asyncio.run(story())


async def test_invariant_1_no_hostile_byte_reaches_the_customers_log(tmp_path: Path) -> None:
    """The same by the durable log, which every customer-facing stream reads."""
    for number, cut in enumerate(range(0, 60, 5)):
        answer = f"You have 60 days [1]. You {HOSTILE} [1]. Returns are free [2]."
        desk = ScriptedDesk(ScriptedEngine(answer, cuts=[cut, cut + 2]))
        async with open_house(tmp_path / str(number), desk) as house:
            conversation = await house.start()
            await house.say(conversation, "How long?")
            log = json.dumps(await house.events(conversation))
            assert HOSTILE not in log.replace(" ", "")


class BrokenCheck(WordCheck):
    """Breaks in the way it is told to."""

    def __init__(self, how: str) -> None:
        self.how = how

    def run(self, candidate: Candidate) -> CheckResult:
        if self.how == "crash":
            raise ZeroDivisionError
        if self.how == "stall":
            import time

            time.sleep(0.5)
        if self.how == "nan":
            return CheckResult((), {"toxicity": float("nan")}, (1,))
        if self.how == "wrong shape":
            return {"toxicity": 0.0}  # type: ignore[return-value]
        raise MemoryError


async def test_invariant_2_a_broken_check_holds_everything() -> None:
    for how in ("crash", "stall", "nan", "wrong shape", "no memory"):
        desk = ScriptedDesk(checks=[WordCheck(), BrokenCheck(how)], check_deadline_s=0.1)
        steps = [s async for s in run_turn(TurnRequest(question="How long?"), desk)]
        assert not any(isinstance(step, SentenceReleased) for step in steps), how
        assert isinstance(steps[-1], Held), how
        assert steps[-1].reasons[0].code == "check_failed"
        assert desk.gate.failures["words"] >= 1
        await desk.close()
