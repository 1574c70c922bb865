"""The gate: every text passes all checks, or it does not leave.

Checks run side by side on worker threads. One that raises, stalls past its deadline or
returns a number that is none becomes a ``CHECK_FAILED`` reason, which holds (invariant 2).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

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

    def __init__(self, checks: Sequence[Check], workers: Workers, deadline_s: float) -> None:
        if not checks:
            raise ValueError("a gate without checks would release everything")
        self.checks = tuple(checks)
        self.failures: dict[str, int] = {check.name: 0 for check in checks}
        self._workers = workers
        self._deadline_s = deadline_s

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
        return Decision(verdict_of(reasons), reasons, scores, supported)

    async def _run(self, check: Check, candidate: Candidate) -> CheckResult:
        try:
            result = await self._workers.run(check.run, candidate, deadline_s=self._deadline_s)
            if not all(math.isfinite(score) for score in result.scores.values()):
                raise ValueError("a score is not a finite number")
        except TimeoutError:
            return self._failed(check, f"took longer than {self._deadline_s:g} s")
        except Exception as error:
            # Whatever breaks in a check must hold; it is logged and counted.
            log.exception("check %s failed", check.name)
            return self._failed(check, f"failed with {type(error).__name__}")
        return result

    def _failed(self, check: Check, what: str) -> CheckResult:
        self.failures[check.name] += 1
        reason = Reason(
            ReasonCode.CHECK_FAILED,
            f"The check {check.name!r} {what}, so a person has to look.",
            rule=check.name,
        )
        return CheckResult((reason,))
