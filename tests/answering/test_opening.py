"""When the sentence that opens an article is taken for the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatbot.answering.opening import with_openings
from chatbot.types import HistoryMessage, Passage

OPENING, ASIDE = "Gift wrapping costs £4.50 for each item.", "Gift wrapping changes no dates."
WRAPPING = Passage(
    "wrap", "0" * 12, "wrap#0", "Gift notes", "", "", f"{OPENING} {ASIDE}", 0.9,
    units=((OPENING, 0.4), (ASIDE, 0.6)),
)  # fmt: skip


def first_and_second(passage: Passage, question: str) -> tuple[float, float]:
    (_, first), (_, second) = with_openings((passage,), question)[0].units
    return first, second


def test_a_plain_question_is_answered_by_what_its_article_says_first():
    first, second = first_and_second(WRAPPING, "do you wrap gifts")
    assert first > second == 0.6


def test_words_that_neither_the_title_nor_the_first_sentence_has_ask_for_more():
    question = "do you wrap gifts that are sent to Norway for Christmas"
    assert first_and_second(WRAPPING, question) == (0.4, 0.6)


@pytest.mark.parametrize(
    "first", ["1. Choose gift wrapping.", "Size of the gift: Wrapping £4.50", "Gift wrapping:"]
)
def test_steps_rows_and_scraps_open_no_article(first: str):
    passage = replace(WRAPPING, units=((first, 0.4), (ASIDE, 0.6)))
    assert first_and_second(passage, "do you wrap gifts") == (0.4, 0.6)


def test_only_the_first_passage_of_an_article_opens_it():
    later = replace(WRAPPING, chunk="wrap#2")
    assert first_and_second(later, "do you wrap gifts") == (0.4, 0.6)


def test_a_number_is_read_with_the_word_before_it():
    renting = "Renting a Tarn 2 costs £36 for 3 nights."
    passage = replace(WRAPPING, title="Tents", units=((renting, 0.4), (ASIDE, 0.6)))
    assert first_and_second(passage, "how much is renting a tarn 2")[0] > 0.6
    assert first_and_second(passage, "how much is renting a tarn 3") == (0.4, 0.6)


def test_a_message_that_leans_on_the_turn_before_asks_for_no_opening():
    asked = (HistoryMessage("customer", "can I send a present?"),)
    (raised,) = with_openings((WRAPPING,), "do you wrap gifts", asked)
    assert raised.units[0][1] > 0.6
    assert with_openings((WRAPPING,), "and do you wrap it as a gift", asked) == (WRAPPING,)
