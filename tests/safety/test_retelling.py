from __future__ import annotations

import pytest

from chatbot.safety.retelling import retold
from chatbot.types import Passage

CLEANING = (
    "Flush the filter backwards with clean water when the flow gets slow. "
    "Do not use soap, hot water or a dishwasher."
)
REPAIRS = (
    "A paid repair takes up to 20 working days and a Mend Plan repair up to 15 working days. "
    "A complaint is confirmed within 2 working days and answered in full within 10 working days."
)
PRICES = """| Address | Standard | Express |
|---|---|---|
| UK mainland | £4.50 | £7.95 |
| Northern Ireland | £4.50 | not available |"""


def passages(*texts: str, title: str = "Help") -> list[Passage]:
    return [
        Passage(f"a{n}", "0" * 12, f"a{n}#0", title, "", "", text, 0.9)
        for n, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ("Do not use soap, hot water or a dishwasher.", CLEANING),
        ("Don't use hot water.", CLEANING),
        ("You can flush the filter backwards with clean water.", CLEANING),
        ("Express delivery to the UK mainland costs £7.95.", PRICES),
        ("A Mend Plan repair takes up to 15 working days.", REPAIRS),
    ],
)
def test_a_claim_in_the_articles_words_is_faithful(claim: str, text: str) -> None:
    found = retold(claim, passages(text, title="Delivery"))
    assert found is not None
    assert found.faithful


@pytest.mark.parametrize(
    ("claim", "text", "unit"),
    [
        (
            "Use a dishwasher, because you should not use soap, hot water or a dishwasher.",
            CLEANING,
            "Do not use soap, hot water or a dishwasher.",
        ),
        (
            "A complaint is confirmed within 10 working days and answered in full within 10 "
            "working days.",
            REPAIRS,
            REPAIRS.partition("days. ")[2],
        ),
        (
            "A Mend Plan repair takes up to 15 working days and a Mend Plan repair up to 15 "
            "working days.",
            REPAIRS,
            REPAIRS.partition(" A complaint")[0],
        ),
        (
            "Express delivery to Northern Ireland costs £7.95.",
            PRICES,
            "Address Northern Ireland: Standard £4.50; Express not available",
        ),
    ],
)
def test_a_claim_with_other_words_or_more_of_them_is_not(claim: str, text: str, unit: str) -> None:
    found = retold(claim, passages(text))
    assert found is not None
    assert not found.faithful
    assert found.unit == unit


def test_a_number_of_a_row_is_told_with_the_rows_name() -> None:
    sizes = (
        "| Size | Chest | Waist |\n|---|---|---|\n| L | 102 cm | 88 cm |\n| XL | 110 cm | 94 cm |"
    )
    for claim, right in (("The waist is 94 cm.", False), ("An XL has a waist of 94 cm.", True)):
        found = retold(claim, passages(sizes))
        assert found is not None
        assert found.faithful is right


def test_statements_may_come_from_two_pieces_but_not_from_two_rows() -> None:
    both = "Flush the filter with clean water, and a paid repair takes up to 20 working days."
    found = retold(both, passages(CLEANING, REPAIRS))
    assert found is not None
    assert found.faithful
    mixed = "Standard to the UK mainland costs £4.50, and express is not available."
    found = retold(mixed, passages(PRICES))
    assert found is not None
    assert not found.faithful


CIRCLE = "Larkmoor Circle costs £15 or €18 a year, and Circle Plus costs £39 or €45 a year."
LASTS = "The guarantee lasts 3 years for jackets, 3 years for tents and 5 years for rucksacks."
NORTH = "Delivery to Northern Ireland costs £4.50, is free from £70 and takes 3 to 5 working days."


@pytest.mark.parametrize(
    ("claim", "unit", "right"),
    [
        ("Circle costs £15 or €18 a year.", CIRCLE, True),
        ("Circle Plus costs £39 or €45 a year.", CIRCLE, True),
        ("Circle costs £39 or €45 a year.", CIRCLE, False),
        ("Circle Plus costs £15 or €18 a year.", CIRCLE, False),
        ("The guarantee on a rucksack lasts 5 years.", LASTS, True),
        ("The guarantee on a rucksack lasts 3 years.", LASTS, False),
        ("Delivery to Northern Ireland takes 3 to 5 working days.", NORTH, True),
        ("Delivery to Northern Ireland costs £70.", NORTH, False),
    ],
)
def test_of_several_names_and_numbers_each_keeps_its_own(claim, unit, right) -> None:
    found = retold(claim, passages(unit))
    assert found is not None
    assert found.faithful is right


def test_what_no_piece_says_is_retold_from_none() -> None:
    assert retold("Our shops open on Sunday mornings.", passages(CLEANING, PRICES)) is None


def test_the_reranker_judged_pieces_are_taken_where_there_are_any() -> None:
    first, second = CLEANING.split(". ", maxsplit=1)[0] + ".", CLEANING.split(". ")[1]
    one = passages(CLEANING)[0]
    judged = Passage(
        one.article, one.version, one.chunk, one.title, "", "", one.text, 0.9,
        units=((first, 0.2), (second, 0.7)),
    )  # fmt: skip
    found = retold("Do not use a dishwasher.", [judged])
    assert found is not None
    assert (found.passage, found.score) == (1, 0.7)


SIZES = "Size L: Chest (cm) 102 to 107; Waist (cm) 88 to 93; Arm (cm) 84"
POSTAGE = "Address Germany: Standard €4.95; Free standard from €80; Express €11.95"
WEAR = "A tent pole snapped in a storm: Covered by the guarantee? No, accident"
FEES = "Yearly fee: Circle £15 / €18; Circle Plus £39 / €45"
RENTAL = "Tent Tarn 2: Sleeps 2; 3 nights £36 / €42; 7 nights £63 / €74; Extra night £9 / €11"


@pytest.mark.parametrize(
    ("claim", "row", "right"),
    [
        ("A size L chest takes 93 cm.", SIZES, False),
        ("Size L is for a chest of 107 cm.", SIZES, False),
        ("Size L has a chest of 102 to 107 cm and a waist of 88 to 93 cm.", SIZES, True),
        ("Size L has an arm of 84 cm.", SIZES, True),
        ("The arm on a size L chest is 84 cm.", SIZES, False),
        ("Express delivery to Germany costs €11.95.", POSTAGE, True),
        ("Express delivery to Germany costs €4.95.", POSTAGE, False),
        ("Delivery to Germany costs €11.95.", POSTAGE, False),
        ("Standard delivery to Germany costs €4.95.", POSTAGE, True),
        ("Standard delivery to Germany costs €80.", POSTAGE, False),
        ("Delivery to Germany is free from €80.", POSTAGE, True),
        ("Standard delivery to Germany costs €4.95, and express €11.95.", POSTAGE, True),
        ("The Tarn 2 for 3 nights costs £36 or €42.", RENTAL, True),
        ("The Tarn 2 for 7 nights costs £36.", RENTAL, False),
        ("The yearly fee of Circle Plus is £39 or €45.", FEES, True),
        ("The yearly fee of Circle is £15.", FEES, True),
        ("The yearly fee is £15 for Circle and £39 for Circle Plus.", FEES, True),
        ("The yearly fee of Circle Plus is £15.", FEES, False),
        ("The yearly fee is £15.", FEES, False),
        ("Renting the Tarn 2 costs £36 or €42.", RENTAL, False),
        ("An extra night in the Tarn 2 costs £9 or €11.", RENTAL, True),
        ("A tent pole snapped in a storm is covered by the guarantee.", WEAR, False),
        ("A tent pole snapped in a storm.", WEAR, False),
        ("It takes 7 nights.", RENTAL, False),
        ("A tent pole snapped in a storm is not covered by the guarantee.", WEAR, True),
    ],
)
def test_of_a_tables_row_each_number_keeps_to_its_column(claim: str, row: str, right: bool) -> None:
    other = (
        row.replace("Germany", "Spain").replace("Tarn 2", "Corrie 4").replace("Size L", "Size M")
    )
    units = ((row, 0.9), (other, 0.1))
    text = f"{row}\n{other}"
    passage = Passage("a", "0" * 12, "a#0", "Delivery and rental", "", "", text, 0.9, units=units)
    found = retold(claim, [passage])
    assert (found is not None and found.faithful) == right
