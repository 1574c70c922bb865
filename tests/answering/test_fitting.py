from __future__ import annotations

import pytest

from chatbot.answering.fitting import OTHER_NAME, OTHER_PLACE, SAID, fitted
from chatbot.types import HistoryMessage, Passage

TWO, THREE = "Renting a Tarn 2 costs £36.", "Renting a Tarn 3 costs £44."
PRICES = Passage(
    "prices", "0" * 12, "prices#0", "Prices", "", "", f"{TWO} {THREE}", 0.9,
    units=((TWO, 0.8), (THREE, 0.6)),
)  # fmt: skip


def scores(question: str, *history: tuple[str, str]) -> list[float]:
    messages = [HistoryMessage(role, text) for role, text in history]
    return [round(score, 3) for _, score in fitted((PRICES,), question, messages)[0].units]


def test_a_unit_about_another_model_is_worth_less():
    assert scores("What does the Tarn 3 cost?") == [round(0.8 * OTHER_NAME, 3), 0.6]
    assert scores("What does a tent cost?") == [0.8, 0.6]


def test_the_name_may_stand_in_the_question_before():
    asked = scores("And for two nights?", ("customer", "What is a Tarn 3?"), ("bot", "A tent."))
    assert asked == [round(0.8 * OTHER_NAME, 3), 0.6]


def test_what_the_bot_has_just_said_is_worth_less():
    history = (("customer", "What does a Tarn 2 cost?"), ("bot", f"{TWO} Anything else?"))
    assert scores("And the Tarn 3?", *history) == [round(0.8 * OTHER_NAME * SAID, 3), 0.6]


ISLES = (
    "Delivery to Northern Ireland costs £4.50.",
    "Delivery to Ireland costs €5.95.",
    "Delivery to the UK costs £4.50.",
    "Other EU countries: €9.95.",
    "Parcels are tracked.",
)
WHERE = Passage(
    "prices", "0" * 12, "prices#0", "Prices", "", "", " ".join(ISLES), 0.9,
    units=tuple((unit, 1.0) for unit in ISLES),
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "worth"),
    [
        ("What does delivery to Ireland cost?", (OTHER_PLACE, 1, OTHER_PLACE, 1, 1)),
        ("And to Northern Ireland?", (1, OTHER_PLACE, 1, OTHER_PLACE, 1)),
        ("How much to Scotland?", (OTHER_PLACE, OTHER_PLACE, 1, OTHER_PLACE, 1)),
        ("What does delivery to Spain cost?", (OTHER_PLACE, OTHER_PLACE, OTHER_PLACE, 1, 1)),
        ("What does delivery in Europe cost?", (1, 1, 1, 1, 1)),
        ("What does delivery cost?", (1, 1, 1, 1, 1)),
    ],
)
def test_a_unit_about_another_country_is_worth_less(question: str, worth: tuple[float, ...]):
    assert tuple(score for _, score in fitted((WHERE,), question, ())[0].units) == worth
