"""Hasty spellings are read with the help centre's own words."""

from __future__ import annotations

import time

import pytest

from knowledge_base.spelling import Speller

TEXTS = [
    "Your account is locked for 20 minutes.",
    "A locked account opens by itself.",
    "Parcels to Ireland take 3 days. A parcel may be stuck in Ireland.",
    "Stuck parcel?",
]


@pytest.fixture(scope="module")
def speller() -> Speller:
    return Speller(TEXTS)


def test_a_slip_brings_the_word_that_was_meant(speller: Speller) -> None:
    assert speller.completed("my acount is lokced").endswith("account locked")
    assert speller.completed("parcle stuk in irland").endswith("parcel stuck ireland")


def test_nothing_is_replaced_and_known_or_far_words_bring_nothing(speller: Speller) -> None:
    for question in ("Is my account locked?", "Do you sell canoes?", "LM-1234567", "", "émoji 🙂"):
        assert speller.completed(question) == question


def test_a_long_text_takes_bounded_time(speller: Speller) -> None:
    started = time.perf_counter()
    speller.completed("xaccountx lokcedd " * 5_000)
    assert time.perf_counter() - started < 2


WORDS = ("the", "how", "much", "can", "boat", "boot")


def test_a_word_of_the_vocabulary_is_no_slip() -> None:
    speller = Speller([*TEXTS, "Boots and boot bags."], WORDS)
    assert speller.corrected("my boat is lokced") == "my boat is locked"


def test_the_likelier_word_stands_in_place_of_the_slip() -> None:
    speller = Speller(TEXTS, WORDS)
    assert speller.corrected("hwo mcuh, parcle to Irland?") == "how much, parcel to ireland?"
    assert speller.corrected("Is LM-1234567 qzx?") == "Is LM-1234567 qzx?"
