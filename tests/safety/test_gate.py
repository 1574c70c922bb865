"""The gate: each real check, broken in each way, holds, is counted and can be seen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chatbot.safety import checks as checks_module
from chatbot.safety.breaker import Breaker, State
from chatbot.safety.calibration import Calibration
from chatbot.safety.checks import LeakCheck, RulesCheck, ToxicityCheck
from chatbot.safety.gate import Candidate, Check, CheckResult, Gate
from chatbot.safety.grounding import GroundingCheck
from chatbot.safety.moderation import Moderator
from chatbot.safety.policy import Policy
from chatbot.safety.released import UngatedText, release_by_gate
from chatbot.safety.toxicity import CATEGORIES
from chatbot.safety.verdicts import SEVERITY, TABLE, verdict_of
from chatbot.types import Decision, Reason, ReasonCode, Sentence, SentenceKind, Side, Verdict
from chatbot.workers import Workers

POLICY = Policy.load(Path("knowledge_base/sample/policy.toml"))
CALIBRATION = Calibration({side: dict.fromkeys(CATEGORIES, 0.5) for side in Side})
CANDIDATE = Candidate("You have 60 days.")
NAN = float("nan")


def _crash(*_: object, **__: object) -> Any:
    raise ZeroDivisionError("broken on purpose")


def _stall(*_: object, **__: object) -> Any:
    time.sleep(0.4)
    return ()


def _missing_file(*_: object, **__: object) -> Any:
    raise FileNotFoundError("weights.safetensors")


def _wrong_shape(*_: object, **__: object) -> Any:
    return ["no reason"]


FAULTS: dict[str, Callable[..., Any]] = {
    "crash": _crash,
    "stall": _stall,
    "missing file": _missing_file,
    "wrong shape": _wrong_shape,
}


class Scorer:
    """Stands where the toxicity model would; ``answer`` is how it breaks."""

    name = "scorer"

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer

    def score(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return list(self.answer(texts))


class Checker:
    """Stands where the grounding model would."""

    threshold = 0.5

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.check = answer


def toxicity(answer: Callable[..., Any]) -> Check:
    return ToxicityCheck(Moderator(Scorer(answer), CALIBRATION))


def grounding(answer: Callable[..., Any]) -> Check:
    return GroundingCheck(Checker(answer))  # type: ignore[arg-type]


def leaks(answer: Callable[..., Any], patch: pytest.MonkeyPatch) -> Check:
    patch.setattr(checks_module, "leak_reasons", answer)
    return LeakCheck("Answer from the passages only.")


def rules(answer: Callable[..., Any], patch: pytest.MonkeyPatch) -> Check:
    patch.setattr(checks_module, "link_reasons", answer)
    return RulesCheck(POLICY, ("larkmoor.example",))


def build(name: str, answer: Callable[..., Any], patch: pytest.MonkeyPatch) -> Check:
    if name == "toxicity":
        return toxicity(answer)
    if name == "grounding":
        return grounding(answer)
    return {"leaks": leaks, "rules": rules}[name](answer, patch)


@pytest.fixture
def workers() -> Iterator[Workers]:
    pool = Workers()
    yield pool
    pool.close()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["toxicity", "grounding", "leaks", "rules"])
async def test_a_broken_check_holds_is_counted_and_can_be_seen(
    name: str, fault: str, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate([build(name, FAULTS[fault], monkeypatch)], workers, deadline_s=0.15)
    decision = await gate.decide(CANDIDATE)
    assert decision.verdict is Verdict.HOLD
    (reason,) = decision.reasons
    assert (reason.code, reason.rule) == (ReasonCode.CHECK_FAILED, name)
    assert gate.failures == {name: 1}
    assert gate.readiness()["breakers"][name]["last"] in reason.detail


@pytest.mark.parametrize(
    "scores", [{"toxicity": NAN}, {"toxicity": float("inf")}, {"toxicity": "high"}]
)
async def test_a_score_that_is_no_number_holds(scores: Any, workers: Workers) -> None:
    gate = Gate([toxicity(lambda texts: [scores for _ in texts])], workers, deadline_s=2)
    decision = await gate.decide(CANDIDATE)
    assert decision.reasons[0].code is ReasonCode.CHECK_FAILED
    assert decision.verdict is Verdict.HOLD


async def test_a_support_score_that_is_no_number_holds(workers: Workers) -> None:
    from chatbot.safety.grounding import GroundingResult

    result = GroundingResult(True, NAN, (1,), ())
    gate = Gate([grounding(lambda *_, **__: result)], workers, deadline_s=2)
    assert (await gate.decide(CANDIDATE)).verdict is Verdict.HOLD


class Odd:
    """A check that answers in a shape of its own."""

    name = "odd"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def run(self, candidate: Candidate) -> CheckResult:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "answer",
    [None, (), {"verdict": "release"}, CheckResult(("fine",)), CheckResult(supported_by=("1",))],  # type: ignore[arg-type]
)
async def test_an_answer_of_another_shape_holds(answer: Any, workers: Workers) -> None:
    decision = await Gate([Odd(answer)], workers, deadline_s=2).decide(CANDIDATE)
    assert decision.reasons[0].code is ReasonCode.CHECK_FAILED


def soon() -> Breaker:
    return Breaker(cool_down_s=0.05)


async def test_after_three_failures_the_check_is_not_called_and_everything_is_held(
    workers: Workers,
) -> None:
    check = Odd(RuntimeError("gone"))
    gate = Gate([check], workers, deadline_s=2, breaker=soon)
    for _ in range(3):
        await gate.decide(CANDIDATE)
    assert gate.breakers["odd"].state is State.OPEN
    readiness = gate.readiness()
    assert not readiness["ok"]
    assert "odd" in readiness["problem"]

    check.answer = CheckResult()  # repaired, but nobody asks it yet
    decision = await gate.decide(CANDIDATE)
    assert decision.verdict is Verdict.HOLD
    assert "switched off" in decision.reasons[0].detail
    assert gate.failures["odd"] == 4

    await asyncio.sleep(0.06)
    assert (await gate.decide(CANDIDATE)).verdict is Verdict.RELEASE
    assert gate.readiness()["ok"]


class Hanging:
    """Never comes back by itself."""

    name = "hanging"

    def __init__(self) -> None:
        self.release = threading.Event()
        self.calls = 0

    def run(self, candidate: Candidate) -> CheckResult:
        self.calls += 1
        self.release.wait(20)
        return CheckResult()


async def test_a_check_that_hangs_does_not_eat_the_threads_of_the_others() -> None:
    workers, hanging = Workers(threads=4), Hanging()
    gate = Gate([hanging], workers, deadline_s=0.05, breaker=soon)
    other = Gate([Odd(CheckResult())], workers, deadline_s=2)
    try:
        for _ in range(8):
            assert (await gate.decide(CANDIDATE)).verdict is Verdict.HOLD
            await asyncio.sleep(0.02)
        assert hanging.calls == 3
        assert (await other.decide(CANDIDATE)).verdict is Verdict.RELEASE
        assert gate.readiness()["breakers"]["hanging"]["stuck"] == 3
    finally:
        hanging.release.set()
        workers.close()


async def test_a_check_that_found_no_free_thread_holds_but_is_not_blamed() -> None:
    workers, hanging = Workers(threads=1), Hanging()
    gate = Gate([hanging, Odd(CheckResult())], workers, deadline_s=0.05)
    try:
        for _ in range(4):
            assert (await gate.decide(CANDIDATE)).verdict is Verdict.HOLD
        assert gate.breakers["odd"].state is State.CLOSED
        assert gate.failures["odd"] == 4
    finally:
        hanging.release.set()
        workers.close()


def test_a_gate_without_checks_cannot_be_built(workers: Workers) -> None:
    with pytest.raises(ValueError, match="release everything"):
        Gate([], workers, deadline_s=1)


def test_every_reason_has_a_verdict_in_the_table_and_only_no_reason_releases() -> None:
    assert set(TABLE) == set(ReasonCode)
    assert Verdict.RELEASE not in TABLE.values()
    assert set(SEVERITY) == set(Verdict)
    assert verdict_of(()) is Verdict.RELEASE
    both = (Reason(ReasonCode.UNSUPPORTED_CLAIM, ""), Reason(ReasonCode.TOXIC, ""))
    assert verdict_of(both) is Verdict.HOLD


def test_an_unknown_reason_holds() -> None:
    unknown = Reason("something new", "")  # type: ignore[arg-type]
    assert verdict_of([unknown]) is Verdict.HOLD


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.RELEASE])
def test_nothing_but_a_release_verdict_mints_released_text(verdict: Verdict) -> None:
    with pytest.raises(UngatedText):
        release_by_gate("text", Decision(verdict))


class Recorder:
    """Keeps what it was asked to judge."""

    name = "recorder"

    def __init__(self) -> None:
        self.seen: list[Candidate] = []

    def run(self, candidate: Candidate) -> CheckResult:
        self.seen.append(candidate)
        return CheckResult()


async def test_a_sentence_is_judged_alone_after_what_precedes_it_and_with_the_whole(
    workers: Workers,
) -> None:
    texts: list[str] = []

    def remember(batch: Sequence[str]) -> list[dict[str, float]]:
        texts.extend(batch)
        return [dict.fromkeys(CATEGORIES, 0.0) for _ in batch]

    before = "First. " * 120
    gate = Gate([toxicity(remember)], workers, deadline_s=2)
    await gate.check_sentence(
        Sentence("Last one.", SentenceKind.COURTESY), Candidate("", before=before.strip())
    )
    alone, in_context, whole = texts
    assert alone == "Last one."
    assert in_context.endswith("First. Last one.")
    assert len(in_context) < 620
    assert whole == f"{before}Last one."


async def test_an_insult_cut_in_two_sentences_is_seen_in_context(workers: Workers) -> None:
    def joined(batch: Sequence[str]) -> list[dict[str, float]]:
        return [
            dict.fromkeys(CATEGORIES, 0.0) | {"insult": 0.9 if "You are. Rubbish." in text else 0.0}
            for text in batch
        ]

    gate = Gate([toxicity(joined)], workers, deadline_s=2)
    candidate = Candidate("Rubbish.", before="You are.")
    assert (await gate.decide(candidate)).verdict is Verdict.HOLD
    assert (await gate.decide(Candidate("Rubbish."))).verdict is Verdict.RELEASE


def test_a_decision_releases_the_text_that_it_judged_and_no_other() -> None:
    decision = Decision(Verdict.RELEASE, text="You have 60 days.")
    assert release_by_gate("You have 60 days.", decision).text == "You have 60 days."
    for other in ("You have 90 days.", "You have 60 days. ", ""):
        with pytest.raises(UngatedText, match="another text"):
            release_by_gate(other, decision)
    with pytest.raises(UngatedText):
        release_by_gate("anything", Decision(Verdict.RELEASE))
