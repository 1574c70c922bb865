"""A support lead edits ``policy.toml``; a fault is named and never takes effect."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.safety.moderation import Moderator
from chatbot.safety.policy import Policy
from chatbot.types import ReasonCode, Side, Verdict

SAMPLE = Path("knowledge_base/sample/policy.toml")


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_sample_policy_loads_and_names_its_rules() -> None:
    policy = Policy.load(SAMPLE)
    assert policy.problem is None
    assert {"done_for_you", "refund_granted", "legal_advice"} <= {r.name for r in policy.forbidden}
    assert re.search(policy.order_ids[0], "LM-1234567")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_word = 20", "did you mean max_words"),
        ("max_words = 3", "max_words"),
        ("review_sample_rate = 2.0", "review_sample_rate"),
        ("order_ids = ['[']", "no regular expression"),
        ("order_ids = ['(a+)+$']", "takes too long on long text"),
        ("order_ids = ['x*']", "empty text"),
        ("allowed_domains = ['https://shop.example']", "no https://"),
        ("[bot]\nrudeness = { action = 'hold' }", "no category"),
        ("[bot]\nthreat = { action = 'shout' }", "bot.threat.action"),
        ("[bot]\nthreat = { action = 'hold', threshold = 0.4 }", "why"),
        ("max_words = ", "no TOML"),
    ],
)
def test_a_fault_is_named_with_its_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SetupError, match=re.escape(said)):
        Policy.load(written(tmp_path, text))


def test_a_rule_that_misses_its_own_example_is_refused(tmp_path: Path) -> None:
    rule = """[[forbidden]]
name = "gifts"
why = "No presents from the bot."
patterns = ['free gift']
holds = ["You get a present."]
passes = ["Gift cards are for sale."]
"""
    with pytest.raises(SetupError, match=r"gifts.*does not catch its own example"):
        Policy.load(written(tmp_path, rule))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"nowhere\.toml"):
        Policy.load(tmp_path / "nowhere.toml")


def test_an_edit_takes_effect_and_a_broken_one_keeps_the_old_rules(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "max_words = 50")
    policy = Policy.load(path)
    assert policy.max_words == 50
    edit(path, "max_words = 60")
    assert policy.max_words == 60
    edit(path, "max_wards = 70")
    assert policy.max_words == 60
    assert policy.problem is not None
    assert "did you mean max_words" in policy.problem
    path.unlink()
    assert policy.max_words == 60
    assert policy.problem
    edit(path, "max_words = 80")
    assert policy.max_words == 80
    assert policy.problem is None


def test_release_and_own_thresholds_change_the_calibration(tmp_path: Path) -> None:
    base = Calibration({side: {"insult": 0.6, "threat": 0.5} for side in Side})
    policy = Policy.load(
        written(
            tmp_path,
            "[customer]\ninsult = { action = 'release' }\n"
            "[bot]\nthreat = { action = 'hold', threshold = 0.3, why = 'seen in March' }\n",
        )
    )
    changed = policy.calibrated(base)
    assert changed.threshold(Side.CUSTOMER, "insult") is None
    assert changed.threshold(Side.BOT, "threat") == 0.3
    assert changed.threshold(Side.BOT, "insult") == 0.6


def edit(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    later = path.stat().st_mtime_ns + 2_000_000_000
    os.utime(path, ns=(later, later))


@pytest.mark.parametrize(
    "text", ["forbidden = [1]", "forbidden = 'x'", "crisis = [[]]", "tests = [3]", "bot = 7"]
)
def test_values_of_the_wrong_shape_are_named_too(tmp_path: Path, text: str) -> None:
    with pytest.raises(SetupError, match=text.split(maxsplit=1)[0]):
        Policy.load(written(tmp_path, text))


def test_a_pattern_that_would_stop_every_turn_is_refused(tmp_path: Path) -> None:
    rule = """[[forbidden]]
name = "gifts"
why = "No presents from the bot."
patterns = ['(?: ?[a-z]+)+!']
holds = ["You get a free gift!"]
passes = ["Gift cards are for sale."]
"""
    with pytest.raises(SetupError, match=r"gifts.*takes too long"):
        Policy.load(written(tmp_path, rule))


def test_a_category_can_be_replaced_instead_of_held(tmp_path: Path) -> None:
    base = Calibration({side: {"insult": 0.6, "threat": 0.5} for side in Side})
    policy = Policy.load(
        written(
            tmp_path,
            "[bot]\ninsult = { action = 'replace' }\n[customer]\nthreat = { action = 'replace' }\n",
        )
    )
    changed = policy.calibrated(base)
    assert changed.threshold(Side.BOT, "insult") == 0.6
    rude, calm = {"insult": 0.7, "threat": 0.1}, {"insult": 0.1, "threat": 0.1}
    moderator = Moderator(None, changed)  # type: ignore[arg-type]  # scores are given
    assert moderator.judge(rude, Side.BOT).verdict is Verdict.REPLACE
    assert moderator.judge(rude, Side.CUSTOMER).verdict is Verdict.HOLD
    assert moderator.judge(calm, Side.BOT).verdict is Verdict.RELEASE
    both = {"insult": 0.7, "threat": 0.7}
    assert moderator.judge(both, Side.BOT).verdict is Verdict.HOLD  # the stricter one counts
    assert moderator.judge({"insult": 0.1, "threat": 0.9}, Side.CUSTOMER).reasons[0].code == (
        ReasonCode.TOXIC_REPLACED
    )
