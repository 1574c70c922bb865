"""Hard facts: found, normalised and compared."""

from __future__ import annotations

import pytest

from chatbot.safety.facts import Fact, find_facts


def one(text: str) -> Fact:
    found = [fact for fact in find_facts(text) if fact.kind != "name"]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("one_way", "other_way"),
    [
        ("within 60 days", "in no more than sixty days"),
        ("it costs £4.95", "it costs 4.95 GBP"),
        ("it costs €4.95", "it costs 4,95 €"),
        ("it costs £4.50", "it costs 4.50 pounds"),
        ("a fee of 50p", "a fee of £0.50"),
        ("1,000 litres", "1000 litres"),
        ("2 working days", "two business days"),
        ("24 hours", "one day"),
        ("within a year", "within 12 months"),
        ("10 kg", "10 kilograms"),
        ("20% off", "20 per cent off"),
        ("on 1 January 2026", "on January 1st, 2026"),
        ("on 1 January 2026", "on 2026-01-01"),
        ("at 6 pm", "at 18:00"),
        ("at 9.30 am", "at 09:30"),
        ("orders of £70 or more", "orders from £70"),
        ("write to Help@Shop.example.", "write to help@shop.example"),
        ("see https://www.shop.example/returns/", "see shop.example/returns"),
        ("call 0808 157 0142", "call 08081570142"),
    ],
)
def test_two_ways_to_say_one_fact_agree(one_way: str, other_way: str) -> None:
    assert one(one_way).agrees(one(other_way))


@pytest.mark.parametrize(
    ("said", "stated"),
    [
        ("within 60 days", "within 30 days"),
        ("2 working days", "2 days"),
        ("it costs £4.95", "it costs €4.95"),
        ("within 60 days", "after 60 days"),
        ("at least 10 kg", "up to 10 kg"),
        ("before 18:00", "after 18:00"),
        ("60 weeks", "60 days"),
        ("20%", "£20"),
        ("on 1 January 2026", "on 1 January 2027"),
        ("on 1 January 2026", "on 1 January"),
        ("help@shop.example", "sales@shop.example"),
        ("0808 157 0142", "0808 157 0143"),
        ("on Sunday", "Monday to Friday"),
        ("at 9 am", "at 9 pm"),
    ],
)
def test_another_value_unit_or_bound_does_not_agree(said: str, stated: str) -> None:
    assert not one(said).agrees(one(stated))


def test_a_day_without_its_year_agrees_with_that_day_of_a_year() -> None:
    assert one("until 31 December").agrees(one("until 31 December 2026"))


def test_a_weekday_agrees_with_a_range_that_holds_it() -> None:
    assert one("on Wednesday").agrees(one("Monday to Friday"))
    assert one("on Wednesday").agrees(one("Sun-Thu"))
    assert not one("on Friday").agrees(one("Sun-Thu"))


def test_short_weekdays_are_read_only_from_one_to_another() -> None:
    assert one("Sun.-Thurs.").value == one("Sunday to Thursday").value
    assert not [fact for fact in find_facts("Sun cream for the beach") if fact.kind == "weekday"]


def test_the_unit_of_a_range_holds_for_each_of_its_numbers() -> None:
    assert [f.value for f in find_facts("55 x 40 x 20 cm")] == [
        "length:550",
        "length:400",
        "length:200",
    ]
    assert [f.value for f in find_facts("3 to 5 working days")] == ["working:3", "working:5"]


def test_names_are_capitalised_words_inside_a_sentence_and_countries_anywhere() -> None:
    names = [f.text for f in find_facts("Germany and our Circle Plus members in the UK. You win.")]
    assert names == ["Germany", "Circle", "Plus", "UK"]


def test_may_and_one_are_words_until_they_stand_for_a_date_or_a_number() -> None:
    assert find_facts("You may keep the one you like.") == ()
    assert one("in May").kind == "month"
    assert one("for one month").value == "month:1"


def test_a_text_without_facts_has_none() -> None:
    assert find_facts("") == ()
    assert find_facts("please keep the box") == ()
