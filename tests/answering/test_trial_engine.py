"""A candidate beside what serves: who meets it, and what happens when it fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chatbot.answering.choice import Chosen
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.experiment import Experiments
from chatbot.answering.live import LiveEngine
from chatbot.answering.prompt import ABSTENTION, PromptSegment
from chatbot.answering.scripted import ScriptedEngine
from chatbot.answering.served import AnswerRegistry
from chatbot.answering.trial_engine import TrialEngine
from chatbot.errors import BadInput, Conflict, NotFound, SetupError
from tests.answering.test_served import adapter_in, small_base

__all__ = ["small_base"]

ASKED = GenerationRequest((PromptSegment("passages", "[1] Returns\n60 days."),))


@pytest.fixture
def experiments(tmp_path: Path, small_base: Path) -> Experiments:
    registry = AnswerRegistry(tmp_path / "answers")
    registry.register("v2", adapter_in(tmp_path / "v2"), small_base, {})
    return Experiments(registry)


class Candidates:
    def __init__(self) -> None:
        self.engine = ScriptedEngine("You have 60 days [1].", model_version="v2")
        self.damaged = False
        self.loaded = 0

    def load(self, version: str) -> Engine:
        self.loaded += 1
        if self.damaged:
            raise SetupError(f"{version} is damaged")
        return self.engine


@pytest.fixture
def candidates() -> Candidates:
    return Candidates()


@pytest.fixture
async def trial(experiments: Experiments, candidates: Candidates) -> AsyncIterator[TrialEngine]:
    own = ScriptedEngine("It is 30 days [1].", model_version="v1")
    live = LiveEngine(lambda: Chosen(own, "the test says so"))
    engine = TrialEngine(live, experiments, candidates.load, poll_s=0.01)
    yield engine
    await engine.close()


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110  a thread changes it
            await asyncio.sleep(0.01)


async def answer(engine: TrialEngine, conversation: str) -> str:
    request = replace(ASKED, conversation=conversation)
    return "".join([piece async for piece in engine.stream(request)])


async def test_in_an_ab_test_a_conversation_always_meets_the_same_model(
    trial: TrialEngine, experiments: Experiments
) -> None:
    assert await answer(trial, "c1") == "It is 30 days [1]."
    begun = experiments.start("ab", "v2", 0.5)
    await until(lambda: trial.trial == begun)
    names = [f"c{number}" for number in range(60)]
    first = {name: await answer(trial, name) for name in names}
    assert {name: await answer(trial, name) for name in names} == first
    for name in names:
        expected = "You have 60" if begun.arm(name) == "candidate" else "It is 30"
        assert first[name].startswith(expected)
    assert 15 < sum(begun.arm(name) == "candidate" for name in names) < 45
    assert await answer(trial, "") == "It is 30 days [1]."  # no conversation, no experiment
    experiments.stop("enough")
    await until(lambda: trial.trial is None)
    assert {await answer(trial, name) for name in names} == {"It is 30 days [1]."}


async def test_in_the_shadow_nobody_sees_the_candidate_and_no_text_is_kept(
    trial: TrialEngine, experiments: Experiments, candidates: Candidates
) -> None:
    experiments.start("shadow", "v2", 1.0)
    await until(lambda: trial.trial is not None)
    assert await answer(trial, "c1") == "It is 30 days [1]."
    file = experiments.shadow_file("v2")
    await until(lambda: file.exists() and file.read_text().endswith("\n"))
    [row] = [json.loads(line) for line in file.read_text().splitlines()]
    assert row["same"] is False
    assert row["words"] == [4, 4]
    assert row["cited"] == [[1], [1]]
    assert row["shown_figures"] is True
    assert "days" not in file.read_text()
    assert candidates.engine.requests[0].segments == ASKED.segments


async def test_an_abstention_is_compared_although_nobody_reads_on_after_it(
    experiments: Experiments, candidates: Candidates
) -> None:
    own = ScriptedEngine(f"{ABSTENTION} And more.")
    live = LiveEngine(lambda: Chosen(own, "the test says so"))
    trial = TrialEngine(live, experiments, candidates.load, poll_s=0.01)
    experiments.start("shadow", "v2", 1.0)
    await until(lambda: trial.trial is not None)
    stream, said = trial.stream(replace(ASKED, conversation="c1")), ""
    async for piece in stream:
        said += piece
        if ABSTENTION in said:
            break
    await stream.aclose()
    file = experiments.shadow_file("v2")
    await until(file.exists)
    assert json.loads(file.read_text())["abstained"] == [True, False]
    await trial.close()


async def test_a_stream_that_nobody_reads_gives_its_place_back(
    trial: TrialEngine, experiments: Experiments
) -> None:
    experiments.start("shadow", "v2", 1.0)
    await until(lambda: trial.trial is not None)
    stream = trial.stream(replace(ASKED, conversation="c1"))
    assert trial.open == 1
    await stream.aclose()
    assert trial.open == 0
    assert not experiments.shadow_file("v2").exists()


async def test_a_damaged_file_is_shown_and_what_serves_goes_on(
    trial: TrialEngine, experiments: Experiments
) -> None:
    (experiments.root / "experiment.json").write_text("{")
    await until(lambda: trial.problem is not None)
    assert "delete it to end the experiment" in (trial.problem or "")
    assert await answer(trial, "c1") == "It is 30 days [1]."
    (experiments.root / "experiment.json").unlink()
    await until(lambda: trial.problem is None)


async def test_a_candidate_that_cannot_be_loaded_takes_part_in_nothing(
    trial: TrialEngine, experiments: Experiments, candidates: Candidates
) -> None:
    candidates.damaged = True
    experiments.start("ab", "v2", 1.0)
    await until(lambda: trial.problem is not None)
    assert "v2 is damaged" in (trial.problem or "")
    assert await answer(trial, "c1") == "It is 30 days [1]."
    await asyncio.sleep(0.1)
    assert candidates.loaded == 1  # not tried over and over


async def test_a_failing_draft_in_the_shadow_is_counted_and_nothing_else(
    trial: TrialEngine, experiments: Experiments, candidates: Candidates
) -> None:
    candidates.engine = ScriptedEngine("You have", crash_at=3)
    experiments.start("shadow", "v2", 1.0)
    await until(lambda: trial.trial is not None)
    assert await answer(trial, "c1") == "It is 30 days [1]."
    file = experiments.shadow_file("v2")
    await until(file.exists)
    assert json.loads(file.read_text())["failed"] == "EngineFailed"


def test_an_experiment_that_cannot_be_is_refused(experiments: Experiments) -> None:
    with pytest.raises(BadInput, match=r"between 0 and 1, got 1\.5"):
        experiments.start("ab", "v2", 1.5)
    with pytest.raises(NotFound, match="no answer model 'v9'"):
        experiments.start("ab", "v9", 0.5)
    with pytest.raises(Conflict, match="no experiment runs"):
        experiments.stop("why")
    experiments.start("ab", "v2", 0.5)
    with pytest.raises(Conflict, match="an experiment with v2 runs"):
        experiments.start("shadow", "v2", 0.5)
    experiments.stop("enough")
    experiments.registry.point("serving", "v2")
    with pytest.raises(Conflict, match="v2 serves already"):
        experiments.start("ab", "v2", 0.5)
