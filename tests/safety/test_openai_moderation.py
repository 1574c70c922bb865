"""A moderation reads like OpenAI's, to the letter that its own client understands."""

from __future__ import annotations

from openai.types import ModerationCreateResponse

from chatbot.safety.calibration import Calibration
from chatbot.safety.moderation import Moderation, Moderator
from chatbot.safety.openai_moderation import openai_result
from chatbot.types import Side
from tests.safety.test_screen import CATEGORIES, WordScorer

CALIBRATION = Calibration({side: dict.fromkeys(CATEGORIES, 0.5) for side in Side})


def moderated(text: str) -> Moderation:
    return Moderator(WordScorer(), CALIBRATION).moderate(text, Side.BOT)


def test_openais_client_reads_every_category() -> None:
    document = {"id": "modr_1", "model": "m", "results": [openai_result(moderated("you idiot"))]}
    (result,) = ModerationCreateResponse.model_validate(document).results
    assert (result.flagged, result.categories.harassment) == (True, True)
    assert result.category_scores.harassment == 0.9
    assert not result.categories.hate
    assert not result.categories.self_harm_intent


def test_what_is_flagged_is_named_in_both_vocabularies() -> None:
    result = openai_result(moderated("I will burn it, you idiot"))
    named = {name for name, flagged in result["categories"].items() if flagged}
    assert named == {"harassment", "harassment/threatening", "violence", "insult", "threat"}
    assert result["category_scores"]["threat"] == result["category_scores"]["violence"] == 0.9


def test_a_harmless_text_has_no_category() -> None:
    result = openai_result(moderated("Where is my parcel?"))
    assert not result["flagged"]
    assert not any(result["categories"].values())


def test_what_nobody_judged_says_so() -> None:
    types = openai_result(moderated("hello"))["category_applied_input_types"]
    assert types["sexual"] == types["self-harm"] == []
    assert types["harassment"] == types["insult"] == ["text"]


def test_a_text_too_long_to_score_is_flagged_without_scores() -> None:
    result = openai_result(moderated("a" * 2_000_000))
    assert result["flagged"]
    assert set(result["category_scores"].values()) == {0.0}
