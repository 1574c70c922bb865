from __future__ import annotations

from dataclasses import replace

from chatbot.answering.focus import MAX_UNITS, MAX_WORDS, focused, to_the_point
from chatbot.types import Passage


def passage(name: str, *units: tuple[str, float]) -> Passage:
    text = " ".join(text for text, _ in units)
    return Passage(name, "0" * 12, f"{name}#0", name, "", "", text, 0.5, units=units)


def test_the_best_units_are_shown_in_the_order_of_their_passage() -> None:
    weak = [(f"Filler {n}.", 0.01) for n in range(MAX_UNITS)]
    one = passage("a", ("First.", 0.8), *weak, ("Second.", 0.9))
    _, shown = focused([one])
    lines = shown[0].text.split("\n")
    assert lines[0] == "First."
    assert lines[-1] == "Second."
    assert len(lines) == MAX_UNITS


def test_a_passage_without_a_chosen_unit_is_left_out_and_the_rest_keep_their_whole_text() -> None:
    strong = [passage(f"s{n}", (f"Fact {n}.", 0.9), ("More.", 0.2)) for n in range(MAX_UNITS)]
    kept, shown = focused([*strong, passage("weak", ("Nothing.", 0.1))])
    assert [p.article for p in kept] == [f"s{n}" for n in range(MAX_UNITS)]
    assert [p.text for p in kept] == [p.text for p in strong]
    assert len(shown) == len(kept)


def test_long_units_end_the_choice_but_one_is_always_shown() -> None:
    long = "word " * (MAX_WORDS + 1)
    _, shown = focused([passage("a", (long, 0.9), ("Short.", 0.8))])
    assert shown[0].text == long


def test_passages_that_nobody_judged_stay_as_they_are() -> None:
    plain = Passage("a", "0" * 12, "a#0", "A", "", "", "Some text. More.", 0.5)
    assert focused([plain]) == ((plain,), (plain,))


def test_the_best_unit_of_each_question_is_shown_before_likelier_ones() -> None:
    likely = [(f"Price {n}.", 0.9 - n / 100) for n in range(MAX_UNITS + 1)]
    one = replace(passage("a", *likely, ("Days.", 0.2)), leads=((0, 0), (1, MAX_UNITS + 1)))
    _, shown = focused([one])
    lines = shown[0].text.split("\n")
    assert len(lines) == MAX_UNITS
    assert {lines[0], lines[-1]} == {"Price 0.", "Days."}


def test_what_is_written_from_leaves_out_lines_beside_the_point() -> None:
    steps = "1. Open it.\n2. Close it."
    aside = passage("aside", ("An aside.", 0.35))
    best = passage("best", ("Before.", 0.3), (steps, 0.9), ("Not shown.", 0.2))
    kept, shown = focused([aside, best])
    assert [p.article for p in kept] == ["best", "aside"]  # left out without changing a number
    told = to_the_point(shown)
    assert [(p.article, p.text) for p in told] == [("best", steps)]


def test_what_answers_one_of_several_questions_is_written_from_whatever_its_probability() -> None:
    one = replace(passage("a", ("Price.", 0.9), ("Days.", 0.1)), leads=((0, 0), (1, 1)))
    _, shown = focused([one])
    assert to_the_point(shown)[0].text == "Price.\nDays."


def test_passages_that_nobody_judged_are_written_from_as_they_are() -> None:
    plain = Passage("a", "0" * 12, "a#0", "A", "", "", "Some text. More.", 0.5)
    assert to_the_point([plain]) == (plain,)
