"""Answers that staff wrote word for word."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from knowledge_base.curated import VERBATIM, CuratedAnswer
from knowledge_base.curated_match import match_curated, nearest_curated
from knowledge_base.readers import read_articles
from knowledge_base.settings import SAMPLE_COMPANY
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles, sync_path
from tests.knowledge_base.conftest import HELP_CENTRE, TODAY

ANSWER = CuratedAnswer(
    id="christmas",
    questions=("Are you open on Christmas Day?", "Can I call you at Christmas?"),
    answer="We are closed on 25 December and answer again on 27 December.",
)
LINKED = CuratedAnswer(
    "gift", ("How long is a gift card valid?",), "Five years.", article="gift-card"
)
QUESTIONS = Path(SAMPLE_COMPANY) / "questions"


def matched(store, encoder, text, **options):
    options = {"on": TODAY} | options
    match = match_curated(store.current(), text, encoder.embed([text])[0], **options)
    return match and match.answer.id


@pytest.fixture(scope="module")
def shared(tmp_path_factory, encoder):
    store = SnapshotStore(tmp_path_factory.mktemp("curated"))
    curated = [
        ANSWER,
        LINKED,
        replace(LINKED, id="late", questions=("Is the returns desk open late?",),
                valid_until=date(2026, 1, 1), article=None),
        replace(LINKED, id="limits", questions=("What may I give away?",), audience="internal"),
        replace(LINKED, id="old", questions=("How do returns work?",), article="returns-2025"),
        replace(LINKED, id="swiss", questions=("Wo ist mein Paket?",), locale="de-CH"),
    ]  # fmt: skip
    report = sync_articles(store, encoder, HELP_CENTRE, source="help", curated=curated)
    assert report.failed == ()
    assert report.curated.added == ("christmas", "gift", "late", "limits", "old", "swiss")
    return store


def test_a_curated_question_gets_its_answer(shared, encoder):
    assert matched(shared, encoder, "are you open on christmas day") == "christmas"
    assert matched(shared, encoder, "How long is a gift card valid") == "gift"


@pytest.mark.parametrize(
    "text",
    ["How long is a voucher for boots valid?", "Is the stove closed?", "tell me a joke", "", "?!"],
)
def test_another_question_gets_none(shared, encoder, text):
    assert matched(shared, encoder, text) is None


def test_a_word_that_turns_a_question_round_is_not_passed_over(shared, encoder):
    assert matched(shared, encoder, "Are you not open on Christmas Day?") is None


def test_expired_internal_and_hidden_answers_never_reach_a_customer(shared, encoder):
    for text in ("Is the returns desk open late?", "What may I give away?", "How do returns work?"):
        assert matched(shared, encoder, text) is None
    assert matched(shared, encoder, "Is the returns desk open late?", on=date(2026, 1, 1)) == "late"
    staff = ("public", "internal")
    assert matched(shared, encoder, "What may I give away?", audiences=staff) == "limits"
    assert matched(shared, encoder, "How do returns work?", on=date(2025, 12, 31)) == "old"


def test_an_answer_for_a_locale_stays_in_it(shared, encoder):
    assert matched(shared, encoder, "Wo ist mein Paket?", locale="de-CH") == "swiss"
    assert matched(shared, encoder, "Wo ist mein Paket?", locale="de-AT") is None


def test_curated_answers_survive_their_file(shared):
    again = SnapshotStore(shared.root).current().curated
    assert again.answers == shared.current().curated.answers
    assert again.calibration == shared.current().curated.calibration


def test_the_threshold_keeps_questions_about_other_matters_away(tmp_path, encoder):
    """One sample question in each article is curated; all others are meant for something else
    or for another question about the article."""
    rows = [
        row
        for line in (QUESTIONS / "dev.jsonl").read_text("utf-8").splitlines()
        if not (row := json.loads(line))["history"]
    ]
    first = {
        row["articles"][0]: row
        for row in reversed(rows)
        if row["type"] == "direct" and len(row["articles"]) == 1
    }
    curated = [
        CuratedAnswer(f"c-{article}", (row["question"],), row["answer"], article=article)
        for article, row in first.items()
    ]
    articles = [
        article
        for article in read_articles(Path(SAMPLE_COMPANY) / "articles", "a").articles
        if article.id in first
    ]
    store = SnapshotStore(tmp_path)
    sync_articles(store, encoder, articles, source="a", curated=curated)
    threshold = store.current().curated.calibration.threshold
    assert 0.6 < threshold < VERBATIM
    asked = {row["question"] for row in first.values()}
    others = [row["question"] for row in rows if row["question"] not in asked]
    day = date(2026, 11, 1)
    got = {text for text in others if matched(store, encoder, text, on=day)}
    assert len(got) <= 0.01 * len(others)
    own = [matched(store, encoder, text, on=day) for text in asked]
    assert sum(identity is not None for identity in own) == sum(
        store.current().shows(answer.article, store.current().allowed(("public",), day))
        for answer in curated
    )


def test_rows_of_csv_and_jsonl_become_curated_answers(tmp_path, encoder):
    (tmp_path / "good.md").write_text("# Good\n\nText.")
    (tmp_path / "curated.csv").write_text(
        "question,answer,article\nIs it good? | Is it really good?,Yes.,good\nWhat?,Lost.,nowhere\n"
    )
    (tmp_path / "curated-more.jsonl").write_text(
        '{"id": "m", "questions": ["One?", "Two?"], "answer": "Three."}\n{"id": "n"}\n'
    )
    store = SnapshotStore(tmp_path / "data")
    report = sync_path(store, encoder, tmp_path)
    answers = {answer.id: answer for answer in store.current().curated.answers}
    assert answers["is-it-good"].questions == ("Is it good?", "Is it really good?")
    assert answers["m"].questions == ("One?", "Two?")
    assert [str(failure) for failure in report.failed] == [
        "curated-more.jsonl:2: question is missing",
        "curated.csv:3: curated answer 'what' links article 'nowhere', which is not there",
    ]
    assert set(store.current().articles) == {"good"}


def test_pruning_and_changing_follow_the_rules_of_articles(store, encoder):
    sync_articles(store, encoder, HELP_CENTRE[:1], source="a", curated=[ANSWER])
    changed = replace(ANSWER, answer="We are open.")
    report = sync_articles(store, encoder, HELP_CENTRE[:1], source="a", curated=[changed])
    assert (report.curated.changed, report.new_snapshot) == (("christmas",), True)
    report = sync_articles(store, encoder, HELP_CENTRE[:1], source="a", prune=True)
    assert report.curated.removed == ("christmas",)
    assert store.current().curated.answers == ()


def test_an_answer_goes_with_its_article(store, encoder):
    sync_articles(store, encoder, HELP_CENTRE, source="a", curated=[LINKED])
    report = sync_articles(store, encoder, (), source="a", remove=("gift-card",))
    assert report.curated.removed == ("gift",)
    assert report.failed == ()
    assert "goes with its article" in report.notes[0].reason


def test_with_few_articles_only_the_question_itself_matches(store, encoder):
    curated = [replace(LINKED, article=None)]
    sync_articles(store, encoder, HELP_CENTRE[:1], source="a", curated=curated)
    assert matched(store, encoder, "how long is a gift card valid") == "gift"
    assert matched(store, encoder, "how long is a gift card from you valid") is None


def test_the_nearest_are_listed_best_first(shared, encoder):
    text = "How long is a gift card good for?"
    found = nearest_curated(shared.current(), text, encoder.embed([text])[0], on=TODAY)
    assert found[0].answer.id == "gift"
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_what_may_not_be_shown_takes_no_place_among_the_nearest(store, encoder):
    text = "How long is a gift card valid?"
    hidden = [
        CuratedAnswer(f"i{n}", (f"{text} {n}",), "For staff.", audience="internal")
        for n in range(30)
    ]
    shown = CuratedAnswer("shown", ("What is the term of a gift voucher?",), "Five years.")
    sync_articles(store, encoder, HELP_CENTRE[:1], source="a", curated=[*hidden, shown])
    vector = encoder.embed([text])[0]
    assert [m.answer.id for m in nearest_curated(store.current(), text, vector)] == ["shown"]


def test_the_sample_answers_say_what_their_articles_say():
    """Every number and address of an answer stands in the article that it cites."""
    reading = read_articles(Path(SAMPLE_COMPANY) / "articles", "a")
    articles = {article.id: article for article in reading.articles}
    assert len(reading.curated) >= 25
    for answer in reading.curated:
        article = articles[answer.article]
        told = f"{article.title}\n{article.text}"
        hard = re.findall(r"[£€]?\d[\d.,:]*\d|[£€]?\d|\S+@\S+\w", answer.answer)
        assert [fact for fact in hard if fact not in told] == [], answer.id
        assert (answer.valid_until or date.max) <= (article.valid_until or date.max), answer.id
    wordings = [asked.casefold() for answer in reading.curated for asked in answer.questions]
    assert len(set(wordings)) == len(wordings)
