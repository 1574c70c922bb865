from __future__ import annotations

import pytest

from chatbot.safety.grounding_slips import dropped_conditions, echoed, without_opening
from chatbot.types import Passage


def passage(text: str) -> Passage:
    return Passage("sizes", "0" * 12, "sizes#0", "Jacket sizes", "", "", text, 0.9)


CHEST = passage("A men's L jacket fits a chest of 102 to 107 cm.")
CREDIT = passage(
    "A final-sale item can be returned within 14 days of purchase, for credit only. "
    "Other items can be returned within 60 days."
)


def test_a_word_of_the_question_that_no_passage_has_is_found():
    asked = "What neck size does a men's L jacket have?"
    claim = "A men's L jacket has a neck size of 102 to 107 cm."
    assert echoed(claim, asked, [CHEST]) == {"neck"}
    assert not echoed("A men's L jacket fits a chest of 102 to 107 cm.", asked, [CHEST])
    assert not echoed(claim, asked, [CHEST, passage("The neck is 40 cm.")])


def test_a_condition_that_was_left_out_is_found():
    claim = "A final-sale item can be returned within 14 days of purchase."
    assert dropped_conditions(claim, [CREDIT]) == {"only"}
    assert not dropped_conditions(claim[:-1] + ", for credit only.", [CREDIT])
    assert not dropped_conditions("Other items can be returned within 60 days.", [CREDIT])
    assert not dropped_conditions("Yes.", [CREDIT])


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("No, an upgrade can be undone.", "An upgrade can be undone."),
        ("Yes, gas cannot be sent by air.", "Gas cannot be sent by air."),
        ("No, gas cannot be sent by air.", "No, gas cannot be sent by air."),
        ("Yes, boots can be returned.", "Yes, boots can be returned."),
        ("No.", "No."),
        ("Nobody is charged.", "Nobody is charged."),
    ],
)
def test_an_opening_stays_only_where_the_sentence_says_the_same(written, kept):
    assert without_opening(written) == kept
