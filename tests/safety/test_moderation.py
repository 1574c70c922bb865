from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from chatbot.errors import BadInput
from chatbot.safety.calibration import Calibration
from chatbot.safety.moderation import Moderator, moderate_command
from chatbot.safety.toxicity import CATEGORIES, ScoreUnreadable
from chatbot.types import ReasonCode, Side, Verdict
from tests.safety import toxicity_model


def lines_of(text: str, side: Side = Side.CUSTOMER, lines: Sequence[str] = ()) -> list[object]:
    written: list[str] = []
    moderate_command(
        toxicity_model.moderator(), text, side=side, as_json=True, lines=lines, write=written.append
    )
    return [json.loads(line) for line in "".join(written).splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order? It should have come on Monday.",
        "My fucking parcel is late",
        "this damn zipper broke after two days, what the hell",
        "I am so fucking angry, three weeks and no refund!",
        "Your app is garbage.",
        "I will dispute the charge with my bank.",
        "Please kill my subscription.",
    ],
)
def test_an_angry_customer_with_a_real_complaint_is_not_flagged(text: str) -> None:
    moderation = toxicity_model.moderator().moderate(text, Side.CUSTOMER)
    assert not moderation.flagged, moderation


@pytest.mark.parametrize(
    "text",
    [
        "You are a stupid worthless idiot, go fuck yourself",
        "I will come to your office and kill you",
        "I'm going to find you and break your legs",
    ],
)
def test_abuse_and_threats_are_flagged_on_both_sides_with_score_and_threshold(text: str) -> None:
    for side in Side:
        moderation = toxicity_model.moderator().moderate(text, side)
        assert moderation.flagged
        assert moderation.verdict is Verdict.HOLD
        for reason in moderation.reasons:
            assert reason.score is not None
            assert reason.threshold is not None
            assert reason.score >= reason.threshold
            assert reason.rule is not None
            assert side.value in reason.rule


def test_a_threat_is_named_as_one() -> None:
    moderation = toxicity_model.moderator().moderate("I will kill you tonight", Side.CUSTOMER)
    assert ReasonCode.THREAT in {reason.code for reason in moderation.reasons}


@pytest.mark.parametrize(
    "text",
    [
        "Your parcel usually arrives within three working days.",
        "You can return the jacket within 60 days of delivery.",
        "I'm sorry that the tent arrived damaged. Please send us a photo.",
        "I can't find that in our help articles.",
    ],
)
def test_what_the_bot_ought_to_say_is_released(text: str) -> None:
    assert toxicity_model.moderator().moderate(text, Side.BOT).verdict is Verdict.RELEASE


def test_the_bot_is_judged_more_strictly_than_the_customer() -> None:
    text = "What a stupid fucking question."
    assert toxicity_model.moderator().moderate(text, Side.BOT).flagged


def test_a_megabyte_is_held_as_too_long_and_the_rest_is_scored() -> None:
    long, short = toxicity_model.moderator().moderate_many(["a" * 1_000_000, "hello"], Side.BOT)
    assert (long.flagged, long.reasons[0].code) == (True, ReasonCode.TOO_LONG)
    assert not short.flagged


def test_a_broken_scorer_raises_and_never_releases() -> None:
    class Broken:
        name = "broken"

        def score(self, texts: Sequence[str]) -> list[dict[str, float]]:
            raise ScoreUnreadable("no score")

    with pytest.raises(ScoreUnreadable):
        Moderator(Broken(), Calibration.load()).moderate("hello", Side.BOT)


def test_the_command_prints_one_json_object_for_a_text() -> None:
    (found,) = lines_of("You are an idiot, fuck you")
    assert isinstance(found, dict)
    assert set(found) == {"flagged", "verdict", "scores", "reasons"}
    assert set(found["scores"]) == set(CATEGORIES)
    assert found["flagged"] is True
    assert found["verdict"] == "hold"
    assert {"code", "detail", "score", "threshold"} <= set(found["reasons"][0])


def test_the_command_reads_lines_in_order_and_skips_empty_ones() -> None:
    lines = ['{"text": "hello"}\n', "\n", '{"text": "I will kill you"}\n'] * 40
    found = lines_of("-", lines=lines)
    assert [row["flagged"] for row in found if isinstance(row, dict)] == [False, True] * 40


@pytest.mark.parametrize("line", ["not json\n", '{"txt": "hello"}\n', "[1]\n", '{"text": 3}\n'])
def test_a_line_that_is_no_text_is_named(line: str) -> None:
    with pytest.raises(BadInput, match="line 2"):
        lines_of("-", lines=['{"text": "hello"}\n', line])


def test_without_json_the_reasons_are_readable() -> None:
    written: list[str] = []
    moderate_command(
        toxicity_model.moderator(), "I will kill you", side=Side.BOT, write=written.append
    )
    assert written[0].startswith("hold")
    assert "threshold" in written[0]
