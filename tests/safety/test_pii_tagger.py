"""Names and addresses that no cue announces are found by the tagger."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from chatbot.answering.sentences import split_sentences
from chatbot.errors import SetupError
from chatbot.safety.entities import PII, parted
from chatbot.safety.pii import find_entities, redact
from chatbot.safety.pii_shapes import SHAPES, shapes_of
from chatbot.safety.pii_tagger import SETTINGS, TENSORS, WEIGHTS, PersonalTagger
from chatbot.types import Entity
from finetune.pii_rows import TITLE
from knowledge_base.encoder import EncoderFiles
from knowledge_base.readers import read_articles
from knowledge_base.settings import SAMPLE_COMPANY

DATA = Path(__file__).parent / "data"
ORDER_IDS = (r"\bLM[- ]?\d{7}\b",)
MOST_ALARMS = 0.02


def named(label: str, text: str) -> tuple[str, str]:
    title = TITLE.match(text) if label == "person_name" else None
    return label, text[title.end() :] if title else text


@pytest.fixture(scope="module")
def tagger() -> PersonalTagger:
    return PersonalTagger.load()


def found(tagger: PersonalTagger, text: str) -> list[tuple[str, str]]:
    return [(e.label, e.text) for e in tagger.find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My parcel never came.\n\nAnnika Sollberg", [("person_name", "Annika Sollberg")]),
        ("the driver gave it to henrik dahlgren", [("person_name", "henrik dahlgren")]),
        (
            "new address: Birkenallee 17, 38114 Braunschweig please",
            [("address", "Birkenallee 17, 38114 Braunschweig")],
        ),
        ("Do you ship to Antwerp?", []),
        ("Where is the Oxford Street store?", []),
        ("", []),
        ("🙂🙂🙂", []),
        ("안녕하세요, 예약 변경 가능할까요?", []),
        ("مرحبا، وصلني الطلب ناقص", []),
    ],
)
def test_what_only_its_surroundings_give_away_is_found(
    tagger: PersonalTagger, text: str, expected: list[tuple[str, str]]
) -> None:
    assert found(tagger, text) == expected


def test_a_span_is_never_half_a_word(tagger: PersonalTagger) -> None:
    text = "Krzysztof Wszędybylski-Gąsienica moved to Szczebrzeszyńska 14a/3, 22-460 Szczebrzeszyn."
    for entity in tagger.find(text):
        before, after = text[: entity.start][-1:], text[entity.end :][:1]
        assert not (before.isalnum() and entity.text[0].isalnum())
        assert not (after.isalnum() and entity.text[-1].isalnum())


def test_a_long_text_is_read_in_windows(tagger: PersonalTagger) -> None:
    text = "The parcel is late and nobody answers. " * 60 + "Regards\nAnnika Sollberg"
    (entity,) = tagger.find(text)
    assert text[entity.start : entity.end] == "Annika Sollberg"


def test_patterns_and_tagger_hide_a_whole_signature(tagger: PersonalTagger) -> None:
    text = "Order 4471203 is late.\nAnnika Sollberg\nBirkenallee 17, 38114 Braunschweig"
    redacted, _ = redact(text, find_entities(text, tagger=tagger), {})
    assert redacted.startswith("Order <ORDER_ID_1> is late.\n<")
    assert not {"Annika", "Sollberg", "Birkenallee", "Braunschweig"} & set(redacted.split())


def test_an_address_ends_with_its_sentence(tagger: PersonalTagger) -> None:
    text = "I moved to 14 Mill Lane, Leeds LS6 2AB. Regards, Henrik Dahlgren"
    assert ("address", "14 Mill Lane, Leeds LS6 2AB") in found(tagger, text)


def test_a_guess_leaves_to_the_patterns_what_they_have_validated() -> None:
    text = "adräss CH-77120-3 Haldenrain 6, 8706 Meilen"
    order = Entity("order_id", 7, 17, "CH-77120-3")
    guess = Entity("address", 0, len(text), text, source="model")
    pieces = parted([guess], [order], text)
    assert [e.text for e in pieces] == ["adräss", "Haldenrain 6, 8706 Meilen"]
    assert parted([guess], [], text) == [guess]
    assert parted([replace(guess, end=17, text=text[:17])], [order], text)[0].text == "adräss"


def test_spans_of_a_text_with_invisible_characters_are_those_as_sent(
    tagger: PersonalTagger,
) -> None:
    text = "Thanks\n\nAnn\u200bika Soll\u200bberg"
    (entity,) = find_entities(text, tagger=tagger)
    assert entity.text == "Ann\u200bika Soll\u200bberg"


def test_few_ordinary_messages_and_hardly_an_article_name_anybody() -> None:
    tagger = PersonalTagger.load(own_names=("Larkmoor", "Lark"))
    rows = Path("finetune/data/safety/support_legit.jsonl").read_text("utf-8").splitlines()
    named = {e[1] for row in rows for e in json.loads(row).get("entities", ())}
    messages = [json.loads(row)["text"] for row in rows]
    articles = read_articles(SAMPLE_COMPANY / "articles", "sample").articles
    sentences = sorted({s for article in articles for s in split_sentences(article.text)})

    def guessed(texts: list[str]) -> list[tuple[str, str]]:
        found = [(e, text) for text in texts for e in find_entities(text, tagger=tagger)]
        return [(e.text, t) for e, t in found if e.source == "model" and e.text not in named]

    assert len(alarms := guessed(messages)) / len(messages) <= MOST_ALARMS, alarms
    assert len(alarms := guessed(sentences)) / len(sentences) <= 0.003, alarms


def test_the_companys_own_name_is_nobodys_data() -> None:
    text = "Thanks\n\nAnnika Sollberg"
    assert found(PersonalTagger.load(own_names=("Annika Sollberg Ltd",)), text) == []
    assert found(PersonalTagger.load(own_names=("Sollberg Ltd",)), text) != []
    circle = "what is Larkmoor Circle"
    assert found(PersonalTagger.load(own_names=("Larkmoor",)), circle) == []


@pytest.mark.parametrize(
    ("name", "least"),
    [("pii_ninth", (0.91, 0.91, 0.92))],
)
def test_on_sets_written_apart_it_finds_what_it_found(
    tagger: PersonalTagger, name: str, least: tuple[float, float, float]
) -> None:
    """Each was written without a look at patterns, tagger or their data, with names of many
    cultures in unusual places, and then measured once: recall, precision, and the share of values
    of which nothing is left to read.

    The ninth, 260 messages with 276 values: 0.841, 0.935, 0.862 at first; since its secrets were
    read 0.877, 0.942, 0.895; with the tagger of 0.15, which has not seen it, 0.913, 0.920,
    0.928."""
    right = wanted = claimed = covered = 0
    for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        every = find_entities(row["text"], ORDER_IDS, tagger)
        entities = [e for e in every if e.label in PII]
        got = {named(e.label, e.text) for e in entities}
        expected = {named(*entity) for entity in row["entities"]}
        hidden = {i for e in entities for i in range(e.start, e.end)}
        right += len(got & expected)
        wanted += len(expected)
        claimed += len(got)
        for _, value in expected:
            start = row["text"].find(value)
            covered += all(
                i in hidden or not row["text"][i].isalnum()
                for i in range(start, start + len(value))
            )
    reached = (right / wanted, right / claimed, covered / wanted)
    assert all(have >= want for have, want in zip(reached, least, strict=True)), reached


def test_compiled_tags_are_pytorchs(tagger: PersonalTagger, tmp_path: Path) -> None:
    compiled = PersonalTagger.load(EncoderFiles(cache=tmp_path))
    for text in ("Annika Sollberg, Birkenallee 17, 38114 Braunschweig", "where is it", "Jo"):
        assert found(compiled, text) == found(tagger, text)


def test_shapes_tell_capitals_digits_and_the_start_of_a_line() -> None:
    text = "Hi Jo\nANNA 12"
    offsets = [(0, 0), (0, 2), (3, 5), (6, 10), (11, 13), (0, 0)]
    shapes = shapes_of(text, offsets)
    assert shapes[0] == shapes[-1] == 0
    assert len(set(shapes[1:5])) == 4
    assert all(0 < shape < SHAPES for shape in shapes[1:5])


@pytest.mark.parametrize("broken", ["missing", "garbage", "labels", "encoder"])
def test_weights_that_cannot_be_used_stop_the_start(tmp_path: Path, broken: str) -> None:
    shutil.copytree(WEIGHTS, tmp_path / "pii")
    folder = tmp_path / "pii"
    settings = json.loads((folder / SETTINGS).read_text("utf-8"))
    if broken == "missing":
        (folder / TENSORS).unlink()
    elif broken == "garbage":
        (folder / TENSORS).write_bytes(b"no tensors")
    elif broken == "labels":
        settings["labels"] = ["person_name"]
    else:
        settings["encoder"] = "0" * 12
    (folder / SETTINGS).write_text(json.dumps(settings), "utf-8")
    with pytest.raises(SetupError, match="python -m finetune pii"):
        PersonalTagger.load(folder=folder)
