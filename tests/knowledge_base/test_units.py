from __future__ import annotations

from knowledge_base.units import units


def test_each_sentence_is_a_unit() -> None:
    assert units("You have 60 days. The label costs £3.50.") == (
        "You have 60 days.",
        "The label costs £3.50.",
    )


def test_a_sentence_that_leans_on_the_one_before_stays_with_it() -> None:
    assert units("Send the lamp back. It must be clean.") == (
        "Send the lamp back. It must be clean.",
    )


def test_a_list_item_carries_the_line_that_introduces_it() -> None:
    assert units("You cannot return:\n\n- swimwear\n- cut fabric") == (
        "You cannot return: swimwear",
        "You cannot return: cut fabric",
    )


def test_steps_stay_together() -> None:
    assert units("Do this:\n\n1. Open the app.\n2. Choose Reset.") == (
        "Do this:\n1. Open the app.\n2. Choose Reset.",
    )


def test_long_steps_are_units_of_their_own() -> None:
    text = "\n".join(f"{n}. {'word ' * 30}end." for n in (1, 2, 3))
    assert len(units(text)) == 3


def test_a_table_row_carries_its_column_names() -> None:
    table = "| Country | Standard |\n|---|---|\n| Germany | €4.95 |\n| Ireland | €5.95 |"
    assert units(table) == ("Country Germany: Standard €4.95", "Country Ireland: Standard €5.95")


def test_decimals_and_abbreviations_do_not_end_a_unit() -> None:
    assert units("It weighs approx. 3.5 kg, e.g. Large. Small ones weigh less.") == (
        "It weighs approx. 3.5 kg, e.g. Large.",
        "Small ones weigh less.",
    )


def test_an_empty_passage_has_no_units() -> None:
    assert units("  \n ") == ()
