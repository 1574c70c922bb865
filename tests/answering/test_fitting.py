from __future__ import annotations

from chatbot.answering.fitting import OTHER_NAME, SAID, fitted
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
