from __future__ import annotations

import pytest

from knowledge_base.query import search_queries

HISTORY = [("customer", "Can I return a jacket?"), ("bot", "Yes, within 60 days.")]


@pytest.mark.parametrize(
    "question",
    ["And for sale items?", "What about boots that I have worn?", "How much does it cost to send?"],
)
def test_a_follow_up_is_joined_with_the_turn_before(question):
    assert search_queries(HISTORY, question) == (f"Can I return a jacket?\n{question}", question)


def test_a_question_that_stands_alone_stays_as_it_is():
    question = "Which payment methods are accepted when ordering from Germany?"
    assert search_queries(HISTORY, question) == (question,)


def test_thanks_are_passed_over():
    history = [*HISTORY, ("customer", "Thank you!"), ("bot", "You are welcome.")]
    assert search_queries(history, "And boots?") == (
        "Can I return a jacket?\nAnd boots?",
        "And boots?",
    )


def test_without_history_a_follow_up_stays_as_it_is():
    assert search_queries([], "And boots?") == ("And boots?",)
