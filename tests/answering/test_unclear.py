from __future__ import annotations

from dataclasses import replace

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


def judged(article: str, score: float, answers: float) -> Passage:
    return replace(passage(article, score), units=(("Text.", answers), ("More text.", 0.01)))


def test_a_unit_that_surely_answers_leaves_nothing_to_ask_back() -> None:
    sure = (judged("complaints", 0.5, 0.94), judged("data", 0.4, 0.5), judged("desk", 0.3, 0.4))
    assert rivals("how can I complain", (), sure) == ()
    assert rivals("can I change it?", (), sure) != ()  # what "it" is nobody knows
    close = (judged("complaints", 0.5, 0.94), judged("data", 0.4, 0.8), judged("desk", 0.3, 0.4))
    assert rivals("how can I complain", (), close) == ("Complaints", "Data")


def test_the_articles_that_answer_best_are_offered() -> None:
    near = (judged("countries", 0.5, 0.1), judged("orders", 0.4, 0.1), judged("hours", 0.3, 0.4))
    assert rivals("where are your shops", (), near) == ("Hours", "Countries")
