"""Rows from articles that nobody has asked about yet: grounded by construction."""

from __future__ import annotations

import json
import random
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chatbot.answering.prompt import ABSTENTION
from chatbot.errors import BadInput, SetupError
from finetune.answers_focus import centre_rows
from finetune.answers_prepare import Counts, prepare_answers
from finetune.answers_rows import read_rows
from finetune.article_questions import article_centre, readable_articles
from finetune.held_out import held_out
from knowledge_base.article import Article
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.readers import read_articles
from knowledge_base.reranker import Reranker
from knowledge_base.settings import SAMPLE_COMPANY

RETURNS = Article(
    id="returns",
    title="Returning an item",
    text="You can return any item within 60 days. The label costs £3.50.\n\n"
    "## Sending boots back\n\nBoots must be dry and clean before you send them back. "
    "Questions go to boots@shop.example.\n",
)
STEPS = Article(
    id="reset",
    title="Reset your password",
    text="1. Open the sign-in page.\n2. Choose Forgotten password.\n3. Open the link we send.\n",
)
TWO_PRICES = Article(
    id="prices", title="Gift wrapping", text="Paper costs £2. A box costs £4. Cards are free.\n"
)


def asked(*articles: Article, language: str = "en") -> dict[str, tuple[str, str]]:
    centre = article_centre(articles, 100, seed=1, language=language)
    return {q.text: (q.kind, q.answer) for q in centre.questions}


def test_a_fact_is_asked_for_where_it_is_the_only_one_of_its_kind() -> None:
    found = asked(RETURNS, TWO_PRICES)
    kinds = dict(found.values())
    assert kinds["article time"] == "You can return any item within 60 days [[returns]]."
    assert kinds["article price"] == "The label costs £3.50 [[returns]]."
    assert kinds["article address"] == "Questions go to boots@shop.example [[returns]]."
    assert not any("gift wrapping" in text and kind == "article price"
                   for text, (kind, _) in found.items())  # fmt: skip


def test_what_no_article_tells_is_asked_for_and_abstained_from() -> None:
    found = asked(RETURNS, STEPS, TWO_PRICES)
    unsaid = [text for text, (kind, answer) in found.items() if kind == "article-unsaid"]
    assert unsaid
    assert all(found[text][1] == "" for text in unsaid)
    assert not any("return" in text and ("days" in text or "£" in text) for text in unsaid)


def test_steps_stay_steps() -> None:
    [answer] = [answer for kind, answer in asked(STEPS).values() if kind == "article"]
    assert [line[:2] for line in answer.split("\n")] == ["1.", "2.", "3."]
    assert answer.count("[[reset]]") == 3


def test_other_languages_ask_with_the_headings_as_they_stand() -> None:
    text = "Sie können jeden Artikel innerhalb von 60 Tagen zurückgeben.\n"
    german = Article(id="r", title="Artikel zurückgeben", text=text, locale="de")
    assert list(asked(german, language="de")) == ["Artikel zurückgeben"]


def test_the_same_seed_asks_the_same_and_every_article_is_asked_about() -> None:
    articles = read_articles(SAMPLE_COMPANY / "articles", "company").articles
    shown = readable_articles(articles, date(2026, 11, 1))
    one, other = (article_centre(shown, 150, seed=3) for _ in range(2))
    assert one.questions == other.questions
    assert len(one.questions) == 150
    proved = {name for question in one.questions for name, _ in question.evidence}
    assert len(proved) >= 0.9 * len(shown)


def test_what_customers_cannot_read_is_not_asked_about() -> None:
    articles = [
        RETURNS,
        Article(id="staff", title="For staff", text="Call Kim.", audience="internal"),
        Article(id="past", title="Sale", text="Ends soon.", valid_until=date(2026, 1, 1)),
        Article(id="new", title="New", text="Since today.", supersedes=("old",)),
        Article(id="old", title="Old", text="Until today."),
    ]
    shown = readable_articles(articles, date(2026, 11, 1))
    assert [one.id for one in shown] == ["returns", "new"]


@pytest.fixture(scope="module")
def parts() -> tuple[TransformerEncoder, Reranker]:
    files = EncoderFiles()
    return TransformerEncoder(files), Reranker.load(encoder=files, stages=1)


def test_every_answer_is_words_of_the_passage_that_it_cites(parts: Any) -> None:
    articles = read_articles(SAMPLE_COMPANY / "articles", "company").articles
    shown = readable_articles(articles, date(2026, 11, 1))[:6]
    rows = centre_rows(article_centre(shown, 20, seed=2), *parts, random.Random(1), "Larkmoor")
    answered = [row for row in rows if not row.abstains]
    assert len(answered) >= 10
    for row in answered:
        for line in row.answer.split("\n"):
            for said, number in re.findall(r"(.+?) \[(\d+)\][.!]?", line):
                words = set(re.findall(r"\w+", said.lower()))
                passage = row.passages[int(number) - 1].text.lower()
                assert len(words & set(re.findall(r"\w+", passage))) >= 0.9 * len(words), row


OWN = Counts(company_copies=0, centre_copies=0, synthetic=0, faq=0, help_articles=0, articles=60)


def folder_of(tmp_path: Path, *articles: Article) -> Path:
    (tmp_path / "company" / "articles").mkdir(parents=True)
    for one in articles:
        front = f"---\nid: {one.id}\ntitle: {one.title}\naudience: {one.audience}\n---\n"
        (tmp_path / "company" / "articles" / f"{one.id}.md").write_text(front + one.text)
    return tmp_path / "company"


def test_a_help_centre_without_questions_gives_rows_split_by_article(tmp_path: Path) -> None:
    numbered = [
        Article(
            id=f"a{n}",
            title=f"Cleaning the {thing}",
            text=f"The {thing} is cleaned with cold water only. It dries within {n + 2} hours.\n",
        )
        for n, thing in enumerate(("tent", "stove", "lamp", "boot", "jacket", "rope", "mat"))
    ]
    company = folder_of(tmp_path, *numbered)
    out = tmp_path / "rows.jsonl"
    report = prepare_answers(out, company=company, company_name="Acme", counts=OWN)
    splits = {
        "train": read_rows([out]),
        **{part: read_rows([out.with_suffix(f".{part}.jsonl")]) for part in ("dev", "test")},
    }
    titles = {
        part: {p.title for row in rows for p in row.passages} for part, rows in splits.items()
    }
    assert all(titles.values())
    assert not titles["train"] & (titles["dev"] | titles["test"])
    assert {row.company for rows in splits.values() for row in rows} == {"Acme"}
    assert any(row.answer == ABSTENTION for row in splits["train"])
    assert report["rows"] == len(splits["train"])
    assert "Rows to read" in out.with_suffix(".report.html").read_text()
    assert json.loads(out.with_suffix(".report.json").read_text()) == report


def test_what_an_evaluation_asks_is_left_out_and_reported(tmp_path: Path) -> None:
    company = folder_of(tmp_path, RETURNS, STEPS)
    out = tmp_path / "rows.jsonl"
    prepare_answers(out, company=company, company_name="Acme", counts=OWN)
    question = next(row.question for row in read_rows([out]) if not row.abstains)
    against = tmp_path / "asked.jsonl"
    against.write_text(json.dumps({"question": question}) + "\n")
    report = prepare_answers(
        out, company=company, company_name="Acme", counts=OWN, against=[against]
    )
    assert report["dropped"]["asked in an evaluation"] >= 1
    assert question not in {row.question for row in read_rows([out])}
    with pytest.raises(BadInput, match="there is no such file"):
        prepare_answers(
            out, company=company, company_name="Acme", counts=OWN, against=[tmp_path / "no"]
        )


def test_every_evaluation_file_of_the_company_is_held_out() -> None:
    asked_of = set(held_out(SAMPLE_COMPANY, ()))
    folder = SAMPLE_COMPANY / "questions"
    for name in ("dev", "test", "plain", "elsewhere/dev", "elsewhere/test"):
        first = json.loads((folder / f"{name}.jsonl").read_text().split("\n", 1)[0])
        assert first["question"] in asked_of
    own = json.loads((folder / "elsewhere" / "train.jsonl").read_text().split("\n", 1)[0])
    assert own["question"] not in asked_of


def test_a_company_without_anything_to_learn_from_is_told(tmp_path: Path) -> None:
    company = tmp_path / "empty"
    company.mkdir()
    with pytest.raises(SetupError, match=r"no rows: .*neither articles.*nor questions"):
        prepare_answers(tmp_path / "rows.jsonl", company=company, company_name="Acme", counts=OWN)
    with pytest.raises(SetupError, match=r"company\.toml does not exist"):
        prepare_answers(tmp_path / "rows.jsonl", company=company, counts=OWN)
