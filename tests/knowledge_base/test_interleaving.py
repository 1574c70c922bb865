from __future__ import annotations

from dataclasses import replace

from knowledge_base.interleaving import LEADS_FROM, best_of, leading
from knowledge_base.passage import Passage


def found(score: float, *units: tuple[str, float]) -> Passage:
    return Passage("a", "0" * 12, "a#0", "Title", "", "", "One. Two.", score, units=units)


def test_a_passage_that_two_queries_found_is_worth_the_best_of_each_unit() -> None:
    best = best_of(
        [found(0.4, ("One.", 0.9), ("Two.", 0.1)), found(0.6, ("One.", 0.2), ("Two.", 0.3))]
    )
    assert best.score == 0.6
    assert best.units == (("One.", 0.9), ("Two.", 0.3))


def test_a_passage_that_one_query_found_too_late_to_be_judged_keeps_the_others_units() -> None:
    for passages in (
        [found(0.4, ("One.", 0.9)), found(0.6)],
        [found(0.6), found(0.4, ("One.", 0.9))],
    ):
        best = best_of(passages)
        assert best.score == 0.6
        assert best.units == (("One.", 0.9),)


def test_a_passage_that_no_query_had_judged_has_no_units() -> None:
    assert best_of([found(0.4), found(0.6)]).units == ()


def test_of_several_questions_the_best_unit_of_each_leads() -> None:
    kept = [found(0.9, ("Prices.", 0.9), ("Days.", 0.8)), replace(found(0.5), chunk="b#0")]
    asked = [
        [found(0.9, ("Prices.", 0.9), ("Days.", 0.1))],
        [found(0.4, ("Prices.", 0.2), ("Days.", 0.8))],
        [found(0.1, ("Prices.", LEADS_FROM / 2), ("Days.", 0.0))],
        [replace(found(0.9, ("Elsewhere.", 0.9)), chunk="c#0")],
    ]
    assert [p.leads for p in leading(kept, asked)] == [((0, 0), (1, 1)), ()]
