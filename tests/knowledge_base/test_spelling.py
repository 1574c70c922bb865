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
