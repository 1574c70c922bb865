"""A policy owner's own tests, and what another policy would change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.safety.comparison import changes
from chatbot.safety.moderation import Moderator
from chatbot.safety.policy_cases import problem_of
from chatbot.safety.policy_rules import PolicyCase, PolicyRules, read_rules
from chatbot.safety.rules import crisis_rule_reason
from chatbot.safety.toxicity import CATEGORIES
from chatbot.types import Reason, ReasonCode, Side, Verdict

SAMPLE = Path("knowledge_base/sample/policy.toml")
OBJECTION = Reason(ReasonCode.FORBIDDEN_PROMISE, "It promises.", rule="policy.toml: done_for_you")


class HalfToxic:
    """Scores 0.5 in every category: what a threshold decides."""

    name = "half"

    def score(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [dict.fromkeys(CATEGORIES, 0.5) for _ in texts]


def moderator() -> Moderator:
    return Moderator(HalfToxic(), Calibration({s: dict.fromkeys(CATEGORIES, 0.9) for s in Side}))


def edited(tmp_path: Path, old: str, new: str) -> PolicyRules:
    path = tmp_path / "policy.toml"
    text = SAMPLE.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return read_rules(path)


def test_a_stricter_threshold_names_the_rows_that_would_be_held(tmp_path: Path) -> None:
    strict = edited(
        tmp_path,
        '[bot]\ntoxicity = { action = "hold" }',
        '[bot]\ntoxicity = { action = "hold", threshold = 0.4, why = "test" }',
    )
    (change,) = changes(moderator(), (read_rules(SAMPLE), strict), ["a text"], Side.BOT)
    assert (change.line, change.before, change.after) == (1, Verdict.RELEASE, Verdict.HOLD)
    assert "0.40" in str(change)


def test_a_rule_that_is_taken_out_lets_its_promise_pass(tmp_path: Path) -> None:
    rules = read_rules(SAMPLE)
    without = rules.model_copy(update={"forbidden": ()})
    texts = ["I have refunded you.", "Refunds are paid within 5 days."]
    (change,) = changes(moderator(), (rules, without), texts, Side.BOT)
    assert (change.line, change.after) == (1, Verdict.RELEASE)
    assert "no longer because" in str(change)


def test_the_same_policy_changes_nothing() -> None:
    rules = read_rules(SAMPLE)
    assert list(changes(moderator(), (rules, rules), ["I have refunded you."], Side.BOT)) == []


def test_a_case_says_which_verdict_and_which_rule_it_missed() -> None:
    rules = read_rules(SAMPLE)
    case = PolicyCase(text="x", verdict=Verdict.HOLD, rule="done_for_you")
    assert problem_of(case, [OBJECTION], rules) is None
    assert "not hold" in str(problem_of(case, [], rules))
    other = PolicyCase(text="x", verdict=Verdict.HOLD, rule="medical_advice")
    assert "should object" in str(problem_of(other, [OBJECTION], rules))


def test_a_case_can_ask_for_a_disclaimer() -> None:
    case = PolicyCase(text="x", verdict=Verdict.RELEASE, intent="warranty_claim", disclaimer="D")
    rules = read_rules(SAMPLE)
    assert "warranty_claim" in str(problem_of(case, [], rules))
    with_it = rules.model_copy(update={"disclaimers": {"warranty_claim": "D"}})
    assert problem_of(case, [], with_it) is None


def test_a_crisis_rule_of_the_policy_is_found_in_every_view() -> None:
    rules = read_rules(SAMPLE).crisis
    reason = crisis_rule_reason(("x", "we are stuck on the ridge"), rules)
    assert reason is not None
    assert reason.code is ReasonCode.CRISIS
    assert reason.words == "stuck on the ridge"


def test_a_wrong_key_in_a_test_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="verdikt"):
        edited(tmp_path, 'rule = "done_for_you"', 'verdikt = "hold"')


def test_the_samples_own_tests_cover_every_forbidden_rule_and_both_sides() -> None:
    rules = read_rules(SAMPLE)
    assert {case.side for case in rules.tests} == set(Side)
    for name in ("legal_advice", "medical_advice", "competitors", "allowed_domains"):
        assert any(case.rule == name for case in rules.tests)
