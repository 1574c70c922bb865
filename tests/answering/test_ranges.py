"""Which rows of a table a number of the question does not fall into."""

from __future__ import annotations

import pytest

from chatbot.answering.ranges import outside

SIZES = (
    "Size S: UK 10; Chest (cm) 85 to 89; Hips (cm) 93 to 97",
    "Size M: UK 12; Chest (cm) 90 to 95; Hips (cm) 98 to 103",
    "Size L: UK 14; Chest (cm) 96 to 101; Hips (cm) 104 to 109",
)
REFUNDS = (
    "7 days or more before collection: Refund 100%",
    "2 to 6 days before collection: Refund 50%",
    "Less than 48 hours before collection: Refund none",
)
FEES = ("Orders under £40: Fee £3", "Orders £40 to £79: Fee £2", "Orders over £79: Fee none")


@pytest.mark.parametrize(
    ("question", "units", "missed"),
    [
        ("which size with a 93 cm chest?", SIZES, {0, 2}),
        ("wich size, hipps 106", SIZES, {0, 1}),  # of the hips, misspelt
        ("my hips are 92", SIZES, set()),  # no row holds it
        ("do you have 93 shops?", SIZES, set()),  # not what a column says
        ("and three days before?", REFUNDS, {0}),
        ("I cancel 10 days before collection", REFUNDS, {1}),
        ("20 hours before collection?", REFUNDS, set()),  # one row of hours alone
        ("fee for orders of £45?", FEES, {0, 2}),
        ("fee for orders of £80?", FEES, {0, 1}),
        ("Orders of £40 and the fee", ("You pay £40 to £79 for it.",), set()),  # no table
        ("which size?", SIZES, set()),
        ("", SIZES, set()),
        ("a chest of 93 cm", (), set()),
    ],
)
def test_rows_of_other_ranges_are_told(
    question: str, units: tuple[str, ...], missed: set[int]
) -> None:
    assert outside(units, question) == missed
