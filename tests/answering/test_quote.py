"""Which of the passages' own words are quoted, and how they look."""

from __future__ import annotations

from dataclasses import replace

from chatbot.answering.quote import (
    also,
    apart_from_lists,
    best_quotes,
    cut_from,
    is_numbered_list,
    repeated,
    unsaid,
    without_heading_again,
)
from chatbot.types import Passage, Sentence, SentenceKind
from tests.support.desk import WordEncoder

TABLE = """| Country | Standard | Express |
|---|---|---|
| Germany | €4.95 | €11.95 |
| Spain | €6.95 | not offered |
"""
GERMANY, SPAIN = (
    "Country Germany: Standard €4.95; Express €11.95",
    "Country Spain: Standard €6.95; Express not offered",
)


def passage(text: str, *units: tuple[str, float]) -> Passage:
    return Passage("a", "0" * 12, "a#0", "Delivery", "", "", text, 0.9, units=units)


def quoted(*passages: Passage) -> list[str]:
    return [quote.text for quote in best_quotes("question", passages, WordEncoder())]


def test_a_table_row_is_quoted_as_a_person_would_like_to_read_it():
    found = quoted(passage(TABLE, (GERMANY, 0.9), (SPAIN, 0.1)))
    assert found == ["Country Germany – Standard: €4.95; Express: €11.95."]


def test_a_second_unit_is_quoted_where_it_is_nearly_as_likely():
    assert len(quoted(passage(TABLE, (GERMANY, 0.9), (SPAIN, 0.5)))) == 2
    assert len(quoted(passage(TABLE, (GERMANY, 0.9), (SPAIN, 0.2)))) == 1


def test_of_several_questions_the_best_unit_of_each_is_quoted():
    two = replace(passage(TABLE, (GERMANY, 0.9), (SPAIN, 0.1)), leads=((1, 0), (0, 1)))
    assert [text.split(" –")[0] for text in quoted(two)] == ["Country Spain", "Country Germany"]


def test_more_is_told_only_of_the_article_that_was_told_from_the_likeliest_first():
    texts = ("Labels cost £3.50 each.", "You have 60 days for it.", "Shops take returns all day.")
    own = passage(" ".join(texts), (texts[0], 0.1), (texts[1], 0.3), (texts[2], 0.01))
    other = replace(
        passage("Parcels go out at noon.", ("Parcels go out at noon.", 0.9)), article="b"
    )
    said = [Sentence("It is so.", SentenceKind.CLAIM, (1,))]
    assert [one.text for one in also([own, other], said, 0.9)] == [texts[1], texts[0]]
    assert also([own, other], [replace(said[0], cited=())], 0.9) == ()


def test_steps_and_a_second_row_of_a_table_do_not_complete_an_answer():
    table, steps = passage(TABLE, (GERMANY, 0.9), (SPAIN, 0.8)), "1. Open My orders and choose it."
    said = best_quotes("question", [replace(table, units=table.units[:1])], WordEncoder())
    assert also([table, passage(steps, (steps, 0.8))], said, 0.9) == ()
    prose = [Sentence("Delivery costs more.", SentenceKind.CLAIM, (1,))]
    assert len(also([table], prose, 0.9)) == 2


def test_a_unit_that_points_back_brings_the_one_before_it():
    text = "Gas cannot be sent by air. However, it can be collected in every store."
    first, second = text.split(". ")
    found = quoted(passage(text, (f"{first}.", 0.1), (second, 0.9)))
    assert found == [f"{first}. {second}"]


def test_a_list_item_is_quoted_under_its_heading_the_first_time():
    items = "- It asks you to pay a fee.\n- You have won a tent."
    first, second = items.replace("- ", "").split("\n")
    fake = replace(passage(items, (first, 0.9), (second, 0.8)), heading="Messages > A fake message")
    quotes = best_quotes("question", (fake,), WordEncoder())
    assert [quote.text for quote in quotes] == [f"A fake message: {one}" for one in (first, second)]
    said = [quotes[0].text]
    assert without_heading_again(quotes[1], said, (fake,)).text == second
    assert without_heading_again(quotes[1], ["Something else."], (fake,)) == quotes[1]


STEPS = [f"{number}. {'Do this with great care, ' * 5}please." for number in range(1, 5)]


def of_steps(*scores: float) -> Passage:
    return passage("\n".join(STEPS), *zip(STEPS, scores, strict=True))


def test_a_long_list_is_told_whole_where_several_of_its_steps_answer():
    assert quoted(of_steps(0.2, 0.9, 0.5, 0.1)) == ["\n".join(STEPS)]


def test_one_step_that_answers_is_told_alone_and_without_its_number():
    assert quoted(of_steps(0.1, 0.9, 0.2, 0.1)) == [STEPS[1].removeprefix("2. ")]


def test_two_lists_of_one_passage_are_not_told_as_one():
    other = [step.replace("care", "haste") for step in STEPS[:2]]
    text = "\n".join([*STEPS, "Then:", *other])
    units = [*zip(STEPS, (0.1, 0.9, 0.5, 0.1), strict=True), *((step, 0.05) for step in other)]
    assert quoted(passage(text, *units)) == ["\n".join(STEPS)]


def test_what_was_said_is_not_said_again():
    said = "Standard delivery to Germany costs €4.95 and express €11.95."
    quotes = [Sentence(text, SentenceKind.CLAIM, (1,)) for text in (GERMANY, SPAIN)]
    assert [quote.text for quote in unsaid(quotes, [said], WordEncoder())] == [SPAIN]
    assert unsaid(quotes, [], WordEncoder()) == tuple(quotes)


def test_a_sentence_repeats_another_that_has_all_its_words():
    said = ["Trousers come in short (76 cm), regular (81 cm) and long (86 cm)."]
    assert repeated("Trousers come in regular (81 cm) and long (86 cm.", said)
    assert not repeated("Trousers come in long (91 cm).", said)
    assert not repeated("", said)


def test_a_step_that_is_told_alone_has_no_number():
    step = "2. Print the label and hand the parcel in."
    others = "\n".join(f"{n}. {'Do what the page says now. ' * 6}" for n in (1, 3, 4))
    assert quoted(passage(f"{step}\n{others}", (step, 0.9))) == [step.removeprefix("2. ")]


def test_of_a_row_only_the_cells_are_added_that_were_not_said():
    said = "Standard delivery to Germany costs €4.95."
    (row,) = best_quotes("question", [passage(TABLE, (GERMANY, 0.9))], WordEncoder())
    assert [quote.text for quote in unsaid([row], [said], WordEncoder())] == [
        "Country Germany – Express: €11.95."
    ]


def test_steps_stand_on_lines_of_their_own():
    steps, other = (
        "1. Open My orders.\n2. Choose Return.",
        Sentence("Then wait.", SentenceKind.CLAIM),
    )
    assert is_numbered_list(steps)
    assert not is_numbered_list("1. Open My orders.")
    assert apart_from_lists(Sentence(steps, SentenceKind.CLAIM), "Like this:").separator == "\n"
    assert apart_from_lists(other, f"Like this:\n{steps}").separator == "\n"
    assert apart_from_lists(other, "Like this.").separator == " "


def test_a_sentence_is_cut_from_another_that_says_more():
    whole = "Delivery to Guernsey costs £8.95 and is never free."
    assert cut_from("Delivery to Guernsey is never free.", whole)
    assert cut_from("Delivery to Guernsey costs £8.95.", whole)
    assert not cut_from(whole, whole)
    assert not cut_from("Guernsey is never free.", whole)  # it begins otherwise
    assert not cut_from("Delivery to Guernsey costs £6.95.", whole)
    row = "Country Spain – Standard: €6.95; Express: not offered."
    assert not cut_from("Country Spain – Standard: €6.95.", row)  # of a row cells are told alone
    assert not cut_from("1. Open it.", "1. Open it.\n2. Close it.")
