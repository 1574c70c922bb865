"""The gate: every text passes all checks, or it does not leave.

Checks run side by side on worker threads. One that raises, stalls past its deadline, answers in
another shape or with a number that is none becomes a ``CHECK_FAILED`` reason, which holds
(invariant 2). After repeated failures its breaker opens, and it holds without being called.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from chatbot.safety.breaker import Breaker, State
from chatbot.safety.verdicts import verdict_of
from chatbot.types import Decision, Passage, Reason, ReasonCode, Sentence, SentenceKind
from chatbot.workers import Workers

log = logging.getLogger(__name__)

CONTEXT_CHARS = 600  # what precedes a sentence and is scored with it: about its last five sentences


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that asks to leave, with what its checks need."""

    text: str
    before: str = ""
    """What stands before it in the same answer. The customer's words are never in it."""
    kind: SentenceKind = SentenceKind.CLAIM
    cited: tuple[int, ...] = ()
    passages: tuple[Passage, ...] = ()
    own_values: frozenset[str] = frozenset()
    """The waiting customer's own data (order number, e-mail), which an answer may repeat."""
    intent: str = ""
    by_person: bool = False

    @property
    def in_context(self) -> str:
        """The text after the end of what precedes it, so that nothing hides across a cut."""
        return f"{self.before[-CONTEXT_CHARS:]} {self.text}".strip()

    @property
    def whole(self) -> str:
        """The complete answer as the customer would have it after this text."""
        return f"{self.before} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class CheckResult:
    reasons: tuple[Reason, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    supported_by: tuple[int, ...] = ()


class Check(Protocol):
    """One question about a candidate. Synchronous: the gate runs it on a worker thread."""

    @property
    def name(self) -> str: ...

    def run(self, candidate: Candidate) -> CheckResult: ...


class Gate:
    """Runs every check under a deadline and reads the verdict off the table."""

    def __init__(
        self,
        checks: Sequence[Check],
        workers: Workers,
        deadline_s: float,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        if not checks:
            raise ValueError("a gate without checks would release everything")
        self.checks = tuple(checks)
        self.breakers: dict[str, Breaker] = {check.name: breaker() for check in checks}
        self._workers = workers
        self._deadline_s = deadline_s

    @property
    def failures(self) -> dict[str, int]:
        """How often each check has held a text because it did not work."""
        return {name: breaker.total for name, breaker in self.breakers.items()}

    def readiness(self) -> dict[str, Any]:
        """For ``/readyz``: each check's breaker; not ok while one is open."""
        broken = [n for n, b in self.breakers.items() if b.state is not State.CLOSED]
        problem = f"every text is held: {', '.join(broken)} failed repeatedly" if broken else None
        return {
            "ok": not broken,
            "problem": problem,
            "failures": self.failures,
            "breakers": {name: b.document() for name, b in self.breakers.items()},
        }

    async def check_sentence(self, sentence: Sentence, candidate: Candidate) -> Decision:
        """Judges the sentence alone, with what precedes it, and the whole answer so far.

        Because every released sentence was judged together with all before it, the last
        sentence cannot leave before the whole has passed.
        """
        return await self.decide(
            replace(candidate, text=sentence.text, kind=sentence.kind, cited=sentence.cited)
        )

    async def check_person(self, text: str, own_values: frozenset[str]) -> Decision:
        """What staff write: safety checks without grounding; refusals may be overridden."""
        return await self.decide(
            Candidate(text, kind=SentenceKind.COURTESY, own_values=own_values, by_person=True)
        )

    async def decide(self, candidate: Candidate) -> Decision:
        results = await asyncio.gather(*(self._run(check, candidate) for check in self.checks))
        reasons = tuple(reason for result in results for reason in result.reasons)
        scores: dict[str, float] = {}
        for result in results:
            scores.update(result.scores)
        supported = tuple(sorted({n for result in results for n in result.supported_by}))
        return Decision(verdict_of(reasons), reasons, scores, supported, candidate.text)

    async def _run(self, check: Check, candidate: Candidate) -> CheckResult:
        breaker = self.breakers[check.name]
        if not breaker.allows():
            breaker.refused()
            return _failed(check, f"is switched off after it {breaker.last}")
        call = _Call(check, candidate, breaker)
        try:
            result = await self._workers.run(call, deadline_s=self._deadline_s)
            _verify(result)
        except TimeoutError:
            if not call.abandon():  # the fault of whatever keeps the threads, not of this check
                breaker.cancelled()
                breaker.refused()
                return _failed(check, f"found no free thread within {self._deadline_s:g} s")
            what = f"took longer than {self._deadline_s:g} s"
            log.error("check %s %s", check.name, what)
        except asyncio.CancelledError:
            call.abandon()
            breaker.cancelled()
            raise
        except Exception as error:
            # Whatever breaks in a check must hold; it is logged and counted.
            log.exception("check %s failed", check.name)
            what = f"failed with {type(error).__name__}"
        else:
            breaker.succeeded()
            return result
        breaker.failed(what)
        return _failed(check, what)


class _Call:
    """One run of a check on a worker thread, which may outlive the caller's patience."""

    def __init__(self, check: Check, candidate: Candidate, breaker: Breaker) -> None:
        self._check, self._candidate, self._breaker = check, candidate, breaker
        self._begun = self._ended = self._abandoned = False
        self._lock = threading.Lock()

    def __call__(self) -> CheckResult:
        with self._lock:
            self._begun = True
        try:
            return self._check.run(self._candidate)
        finally:
            with self._lock:
                self._ended = True
                if self._abandoned:
                    self._breaker.returned()

    def abandon(self) -> bool:
        """Nobody waits any more. False when it had not begun, so that it takes no thread."""
        with self._lock:
            if self._begun and not self._ended:
                self._abandoned = True
                self._breaker.abandoned()
            return self._begun


def _verify(result: object) -> None:
    """Raises TypeError or ValueError for an answer in another shape than CheckResult."""
    if not isinstance(result, CheckResult):
        raise TypeError(f"a check must answer with CheckResult, not {type(result).__name__}")
    for reason in result.reasons:
        if not isinstance(reason, Reason):
            raise TypeError(f"a reason must be a Reason, not {type(reason).__name__}")
    for name, score in result.scores.items():
        if not math.isfinite(score):
            raise ValueError(f"the score of {name} is {score}, which is not a finite number")
    for number in result.supported_by:
        if not isinstance(number, int) or number < 1:
            raise ValueError(f"a passage is named by its number from 1 on, not {number!r}")


def _failed(check: Check, what: str) -> CheckResult:
    reason = Reason(
        ReasonCode.CHECK_FAILED,
        f"The check {check.name!r} {what}, so a person has to look.",
        rule=check.name,
    )
    return CheckResult((reason,))
