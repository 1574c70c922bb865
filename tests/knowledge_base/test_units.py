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
    assert units(table, legible=True)[0] == "Country Germany – Standard: €4.95"


def test_a_column_that_asks_is_answered_without_a_colon() -> None:
    table = "| Item | Can it be returned? |\n|---|---|\n| Socks | Yes, unworn |"
    assert units(table, legible=True) == ("Item Socks – Can it be returned? Yes, unworn",)


def test_for_people_an_item_stands_under_its_heading_unless_it_says_it_itself() -> None:
    fake = "- It asks you to pay a fee.\n- Signs of a fake message are many.\n"
    heading = "Signs of a fake message"
    first, second = units(fake, legible=True, heading=heading)
    assert first == f"{heading}: It asks you to pay a fee."
    assert second == "Signs of a fake message are many."
    assert units("- Wait 10 minutes.", legible=True, heading="No email?") == (
        "No email? Wait 10 minutes.",
    )
    introduced = "You cannot return:\n\n- swimwear"
    assert units(introduced, legible=True, heading=heading) == units(introduced)
    assert units(f"{fake}A sentence.", legible=True, heading=heading)[2] == "A sentence."
    table = "| Country | Standard |\n|---|---|\n| Germany | €4.95 |"
    assert units(table, legible=True, heading=heading) == units(table, legible=True)
    assert units(fake, heading=heading) == units(fake)


def test_decimals_and_abbreviations_do_not_end_a_unit() -> None:
    assert units("It weighs approx. 3.5 kg, e.g. Large. Small ones weigh less.") == (
        "It weighs approx. 3.5 kg, e.g. Large.",
        "Small ones weigh less.",
    )


def test_an_empty_passage_has_no_units() -> None:
    assert units("  \n ") == ()
