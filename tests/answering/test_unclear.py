from __future__ import annotations

import pytest

from chatbot.answering.unclear import rivals
from chatbot.types import HistoryMessage, Passage


def passage(article: str, score: float) -> Passage:
    return Passage(article, "0" * 12, f"{article}#0", article.title(), "", "", "Text.", score)


MANY = (passage("delivery", 0.5), passage("rental", 0.4), passage("repair", 0.3))
ONE = (passage("delivery", 0.9), passage("rental", 0.2), passage("repair", 0.1))


@pytest.mark.parametrize(
    "question", ["how much does it cost", "It doesn't work", "can I change it?", "what size?"]
)
def test_a_question_that_says_too_little_is_asked_back(question: str) -> None:
    assert rivals(question, (), MANY) == ("Delivery", "Rental")


@pytest.mark.parametrize(
    "question",
    ["How much does a tent rental cost?", "Can I return socks?", "Where do I download my invoice?"],
)
def test_a_question_that_says_what_it_is_about_is_answered(question: str) -> None:
    assert rivals(question, (), MANY) == ()


def test_one_article_that_stands_out_is_what_was_meant() -> None:
    assert rivals("how much does it cost", (), ONE) == ()


def test_a_follow_up_has_its_subject_in_the_conversation() -> None:
    history = (HistoryMessage("customer", "I want to rent a tent"), HistoryMessage("bot", "Good."))
    assert rivals("how much does it cost", history, MANY) == ()


def test_passages_of_one_article_are_no_rivals() -> None:
    assert rivals("how much does it cost", (), (MANY[0],) * 3) == ()
