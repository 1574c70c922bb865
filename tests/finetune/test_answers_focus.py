from __future__ import annotations

import random
from pathlib import Path

import pytest

from chatbot.answering.prompt import ABSTENTION
from finetune.answers_focus import asked_of, centre_rows, focused_row
from finetune.answers_prepare import company_centre
from finetune.answers_rows import AnswerRow, PassageText
from finetune.centres import Centre, Question
from knowledge_base.article import Article
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.reranker import Reranker
from knowledge_base.settings import SAMPLE_COMPANY

RETURNS = Article("returns", "Returns", "You have 30 days. The label costs £3.50.")
GIFTS = Article("gifts", "Gift cards", "A gift card is valid for five years.")


@pytest.fixture(scope="module")
def parts() -> tuple[TransformerEncoder, Reranker]:
    files = EncoderFiles()
    return TransformerEncoder(files), Reranker.load(encoder=files, stages=1)


def test_a_row_cites_the_passage_that_proves_it(parts) -> None:
    asked = Question(
        "what does the label cost", "direct", (), (("returns", "The label costs £3.50."),),
        "The return label costs £3.50 [[returns]].", (),
    )  # fmt: skip
    rows = centre_rows(Centre("x", (RETURNS, GIFTS), (asked,)), *parts, random.Random(1), "Acme")
    answered = [row for row in rows if not row.abstains]
    assert len(answered) == 1
    [gold] = answered[0].gold
    assert answered[0].answer == f"The return label costs £3.50 [{gold}]."
    assert "The label costs £3.50." in answered[0].passages[gold - 1].text


def test_what_the_articles_do_not_say_is_abstained_from(parts) -> None:
    asked = Question("do you sell kites", "unanswerable", (), (), "", ("gifts",))
    [row] = centre_rows(Centre("x", (RETURNS, GIFTS), (asked,)), *parts, random.Random(1))
    assert row.answer == ABSTENTION
    assert row.passages


def test_sentences_that_no_unit_proves_are_not_taught() -> None:
    row = {
        "question": "label?", "articles": ["returns"], "history": [], "expect": "answer",
        "type": "direct", "answer": "The label costs £3.50. Our team loves parcels dearly.",
    }  # fmt: skip
    [question] = asked_of([row], [RETURNS, GIFTS]).questions
    assert question.answer == "The label costs £3.50 [[returns]]."


def test_the_sample_company_teaches_nothing_of_its_dev_and_test_articles() -> None:
    own = company_centre(Path(SAMPLE_COMPANY))
    assert own is not None
    names = {article.id for article in own.articles}
    assert "account-create" not in names  # the first test question rests on it
    assert len(own.questions) > 200


def test_given_passages_are_cut_to_their_best_units_and_keep_their_gold(parts) -> None:
    long = " ".join(f"Fact number {n} is about something else entirely." for n in range(12))
    row = AnswerRow(
        "how long are gift cards valid",
        (PassageText("Other", "", long), PassageText("Gift cards", "", GIFTS.text)),
        "A gift card is valid for five years [2].",
        gold=(2,),
    )
    cut = focused_row(row, parts[1])
    [gold] = cut.gold
    assert GIFTS.text in cut.passages[gold - 1].text
    assert sum(len(p.text.split()) for p in cut.passages) < len(long.split())
    assert cut.answer == f"A gift card is valid for five years [{gold}]."
