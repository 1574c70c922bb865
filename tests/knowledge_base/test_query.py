from __future__ import annotations

import pytest

from knowledge_base.query import joined_pair, leans_on_the_turn_before, search_queries

HISTORY = [("customer", "Can I return a jacket?"), ("bot", "Yes, within 60 days.")]


@pytest.mark.parametrize(
    "question",
    ["And for sale items?", "What about boots that I have worn?", "How much does it cost to send?"],
)
def test_a_follow_up_is_joined_with_the_turn_before(question):
    assert search_queries(HISTORY, question) == (f"Can I return a jacket?\n{question}", question)


def test_a_question_that_stands_alone_comes_before_what_it_may_lean_on():
    question = "Which payment methods are accepted when ordering from Germany?"
    joined = f"Can I return a jacket?\n{question}"
    assert search_queries([], question) == (question,)
    assert search_queries(HISTORY, question) == (question, joined)


def test_the_joined_question_and_the_question_alone_are_told_apart():
    for question in ("And boots?", "Which payment methods are accepted in Germany?"):
        queries = search_queries(HISTORY, question)
        joined, alone = joined_pair(queries)
        assert queries[alone] == question
        assert queries[joined] == f"Can I return a jacket?\n{question}"
    assert joined_pair(search_queries([], "What is it, and where is my parcel now?")) is None


def test_thanks_are_passed_over():
    history = [*HISTORY, ("customer", "Thank you!"), ("bot", "You are welcome.")]
    assert search_queries(history, "And boots?") == (
        "Can I return a jacket?\nAnd boots?",
        "And boots?",
    )


def test_without_history_a_follow_up_stays_as_it_is():
    assert search_queries([], "And boots?") == ("And boots?",)


def test_a_double_question_is_also_searched_for_part_by_part():
    asked = "I'm in Ireland. What does posting cost, and where can I report a lost parcel?"
    assert search_queries([], asked) == (
        asked,
        "I'm in Ireland. What does posting cost?",
        "I'm in Ireland. What does posting cost?\nwhere can I report a lost parcel?",
    )


@pytest.mark.parametrize(
    ("asked", "last"),
    [
        ("What's the price for a week, and what does a night more cost?", "what does a night more"),
        ("Boots from Cork. To which town do they go, and is there a form?", "is there a form"),
        ("When do you look for it, and if it's gone can I have the money?", "if it's gone can I"),
        ("Swiss customer here: can I swap boots, or what would a return cost?", "what would a"),
        ("Can I cancel it? And once that's done, how long do you take?", "And once that's done"),
        ("Is delivery free, and is the label free too?", "is the label free too"),
    ],
)
def test_the_parts_of_a_question_may_have_an_opening_of_their_own(asked, last):
    *_, part = search_queries([], asked)
    assert part.split("\n")[-1].startswith(last)


@pytest.mark.parametrize(
    "question",
    [
        "Can I return boots and jackets?",
        "Who pays for that and why?",
        "How long do delivery and return take?",
        "My jacket leaks and is two years old. Is that covered?",
        "",
    ],
)
def test_one_question_has_no_parts(question):
    assert search_queries([], question) == (question,)


@pytest.mark.parametrize(
    ("question", "leans"),
    [
        ("And for sale items?", True),
        ("how long does it take?", True),
        ("turn off the kitchen lights", False),
        ("Which payment methods are accepted?", False),
    ],
)
def test_words_that_lean_on_the_turn_before(question, leans):
    assert leans_on_the_turn_before(question) is leans
