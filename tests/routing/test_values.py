from __future__ import annotations

from datetime import date

import pytest

from chatbot.routing.values import Values
from chatbot.types import Entity

FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("label", "said", "value"),
    [
        ("date", "2026-03-09", "2026-03-09"),
        ("date", "9 March 2026", "2026-03-09"),
        ("date", "24 Dec", "2026-12-24"),
        ("date", "12/25/2026", "2026-12-25"),
        ("date", "tomorrow", "2026-11-21"),
        ("date", "next friday", "2026-11-27"),
        ("date", "2 weeks ago", "2026-11-06"),
        ("date_from", "next week", "2026-W48"),
        ("date", "march", "2027-03"),
        ("time", "7pm", "19:00"),
        ("time_to", "19:30", "19:30"),
        ("time", "12 am", "00:00"),
        ("money", "£12.50", "1250 GBP"),
        ("amount_of_money", "$1,234.50", "123450 USD"),
        ("phone", "0161 496 0142", "+441614960142"),
        ("phone_number", "+44 113 496 0142", "+441134960142"),
        ("iban", "GB29 NWBK 6016 1331 9268 19", "GB29NWBK60161331926819"),
        ("card", "4111 1111 1111 1111", "4111111111111111"),
        ("email", "Ann@Example.ORG", "ann@example.org"),
        ("order_id", "lm-1234567", "LM-1234567"),
    ],
)
def test_a_span_has_a_value_that_can_be_compared(label: str, said: str, value: str) -> None:
    assert Values(FRIDAY).value(label, said) == value


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("date", "3 to 5 March"),
        ("date", "whenever"),
        ("money", "20 or 30 pounds"),
        ("iban", "GB29 NWBK 6016 1331 9268 18"),
        ("product", "Halo Pro 300"),
        ("date", "x" * 5000),
        ("date", "  "),
    ],
)
def test_what_is_not_one_valid_value_has_none(label: str, said: str) -> None:
    assert Values(FRIDAY).value(label, said) is None


def test_a_day_without_a_year_is_the_nearest_one() -> None:
    spoken = Entity("date", 0, 7, "3 March", "--03-03")
    assert Values(date(2026, 4, 1)).complete([spoken])[0].value == "2026-03-03"
    assert Values(date(2026, 12, 1)).complete([spoken])[0].value == "2027-03-03"


def test_a_value_that_is_known_stays() -> None:
    known = Entity("order_id", 0, 4, "lm-1", "LM-0000001")
    assert Values(FRIDAY).complete([known]) == (known,)
