from __future__ import annotations

import pytest

from chatbot.safety.grounding_slips import (
    broken_addresses,
    dropped_conditions,
    echoed,
    invented_rates,
    misnamed,
    slip,
    without_opening,
)
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


def test_a_price_that_was_made_a_rate_is_found():
    prices = passage("Express delivery to Germany costs €11.95. It takes 1 to 2 working days.")
    rent = passage("Bringing a tent back late costs £12 or €14 for each day.")
    assert invented_rates("Express delivery to Germany costs €11.95 a day.", [prices]) == {"day"}
    assert not invented_rates("Express delivery to Germany costs €11.95.", [prices])
    assert not invented_rates("A late tent costs £12 per day.", [rent])


def test_a_number_of_another_model_is_found():
    tents = passage("Renting a Tarn 2 costs £36 for 3 nights. Renting a Corrie 4 costs £60.")
    assert misnamed("Renting a Tarn 3 costs £36.", [tents]) == {"£36"}
    assert not misnamed("Renting a Tarn 2 costs £36.", [tents])
    assert not misnamed("Renting a tent costs £36.", [tents])
    assert not misnamed("Renting a Ridge 1 costs £36.", [tents])  # no sibling: others judge that


def test_an_address_that_was_cut_is_found():
    help_page = passage("Write to help@shop.example or see [the page](https://shop.example/help).")
    assert broken_addresses("You can write to help@shop.", [help_page]) == {"help@shop"}
    assert not broken_addresses("Write to help@shop.example.", [help_page])
    assert not broken_addresses("See https://shop.example/help.", [help_page])


def test_a_slip_is_told_with_its_words():
    asked = "What neck size does a men's L jacket have?"
    found = slip("A men's L jacket has a neck size of 102 to 107 cm.", asked, [CHEST])
    assert found is not None
    assert found.words == "neck"
    assert slip("A men's L jacket fits a chest of 102 to 107 cm.", asked, [CHEST]) is None


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("No, an upgrade can be undone.", "An upgrade can be undone."),
        ("Yes, gas cannot be sent by air.", "Gas cannot be sent by air."),
        ("No, gas cannot be sent by air.", "Gas cannot be sent by air."),
        ("No.", "No."),
        ("Nobody is charged.", "Nobody is charged."),
    ],
)
def test_an_opening_that_nobody_has_checked_is_left_out(written, kept):
    assert without_opening(written) == kept
