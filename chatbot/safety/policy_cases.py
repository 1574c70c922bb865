"""``python -m chatbot policy test``: the ``[[tests]]`` beside the rules, by the real checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from chatbot.safety.judges import Judges
from chatbot.safety.policy import Policy
from chatbot.safety.policy_rules import PolicyCase, PolicyRules
from chatbot.safety.verdicts import verdict_of
from chatbot.types import Reason

if TYPE_CHECKING:
    from chatbot.settings import Settings


def run_cases(
    settings: Settings, file: Path | None, write: Callable[[str], object]
) -> tuple[int, int]:
    """How many cases fail, and how many there are; each failure is written with its reasons.

    ``file`` is another policy.toml than the company's. Raises SetupError for one that cannot be
    read, with the key that is wrong.
    """
    policy = Policy.load(file or settings.company / "policy.toml")
    cases = policy.rules.tests
    judges = Judges.load(settings, policy)
    wrong = 0
    for case in cases:
        problem = problem_of(case, judges.reasons(case.text, case.side, case.intent), policy.rules)
        if problem:
            wrong += 1
            write(f"{case.side.value}: {case.text!r}\n  {problem}")
    return wrong, len(cases)


def problem_of(case: PolicyCase, reasons: Iterable[Reason], rules: PolicyRules) -> str | None:
    """What the case missed, for a person; None where it holds."""
    found = tuple(reasons)
    verdict = verdict_of(found)
    if verdict is not case.verdict:
        why = "; ".join(f"{r.rule or r.code.value}: {r.detail}" for r in found) or "nothing"
        return f"the verdict is {verdict.value}, not {case.verdict.value}; objected: {why}"
    if case.rule and not any(case.rule in (reason.rule or "") for reason in found):
        named = ", ".join(str(reason.rule) for reason in found) or "no rule"
        return f"{case.rule!r} should object, but it was {named}"
    if case.disclaimer and case.disclaimer != rules.disclaimers.get(case.intent):
        shown = rules.disclaimers.get(case.intent)
        return f"the disclaimer of {case.intent!r} is {shown!r}"
    return None
