from __future__ import annotations

from dataclasses import replace

import pytest

from chatbot.answering.answerable import answerable, features, logit, ours
from chatbot.types import Passage


def found(*scores: float) -> list[Passage]:
    units = tuple((f"Unit {n}.", score) for n, score in enumerate(scores))
    return [Passage("a", "0" * 12, "a#0", "A", "", "", "Text.", 0.9, units=units)]


def test_both_judges_count() -> None:
    likely, unlikely = found(0.8, 0.5), found(0.1, 0.05)
    assert answerable(likely, 0.05) > answerable(unlikely, 0.05) > answerable(unlikely, 0.9)
    assert answerable(likely, 0.05) > answerable(likely, 0.9)


def test_a_sure_reranker_is_not_overruled() -> None:
    assert answerable(found(0.95, 0.1), 0.99) >= 0.9
    assert answerable(found(0.89, 0.1), 0.99) < 0.5


def test_without_the_models_doubt_the_reranker_judges_alone() -> None:
    assert answerable(found(0.9, 0.6), None) > 0.5 > answerable(found(0.02), None)


def test_what_nobody_judged_is_taken_as_found() -> None:
    assert answerable(found(), None) == 1.0
    assert answerable(found(), 0.75) == 0.25


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_certainty_stays_finite(score: float) -> None:
    assert abs(logit(score)) < 10
    assert 0 < answerable(found(score), 1 - score) < 1


def test_that_other_units_say_nothing_is_no_sign_against_the_best() -> None:
    assert features([0.7], None) == features([0.7, 0.0], None)
    assert features([0.7, 0.4], None) > features([0.7], None)
    assert answerable(found(0.62, 0.001), 0.36) > 0.5


def test_what_is_found_and_the_router_tell_whether_a_message_is_the_companys() -> None:
    question = "How long can I return boots?"
    assert ours(found(0.7), 0.1, question) > 0.9
    far = [replace(p, score=0.05) for p in found(0.02)]
    assert ours(far, 0.9, "mmm") < 0.05
    assert ours(found(0.7), 0.1, question) > ours(found(0.7), 0.9, question)
    assert ours(found(), 0.9, "mmm") == 1.0  # nobody judged


def test_after_a_question_it_counts_what_a_message_finds_by_itself() -> None:
    together = found(0.9)
    nothing = [replace(p, score=0.005) for p in found(0.005)]
    talk, follow_up = "turn off the kitchen lights", "and how long do those take?"
    assert ours(together, 0.4, talk) > 0.9
    assert ours(together, 0.4, talk, nothing) < 0.13
    assert ours(together, 0.4, talk, found(0.9)) > 0.9
    assert ours(together, 0.4, follow_up, nothing) > ours(together, 0.4, talk, nothing)
    assert ours(found(), 0.4, talk, found()) == 1.0  # nobody judged
