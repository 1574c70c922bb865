"""What people decide becomes training rows that the trainer reads, without PII."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chatbot.answering.scripted import ScriptedEngine
from chatbot.learning.examples import Example, examples
from chatbot.learning.export import export
from chatbot.learning.gaps import find_gaps, group
from chatbot.review.rules import ReviewRules
from finetune.answers_rows import read_rows
from tests.support.desk import ScriptedDesk
from tests.support.office import House, open_house

MAIL = "kim.shopper@example.com"


async def decide(house: House, text: str, how: str, words: str = "") -> str:
    staff = await house.on_duty()
    conversation = await house.start()
    await house.say(conversation, text)
    item = (await house.open_items())[-1]
    version = (await house.review.claim(item["id"], staff))["version"]
    if how == "approve":
        await house.review.approve(item["id"], staff, version)
    elif how == "edit":
        await house.review.edit(item["id"], staff, version, words, None)
    else:
        await house.review.reject(item["id"], staff, version, "it is wrong", words, None)
    return conversation


async def found(house: House) -> list[Example]:
    return [example async for example in examples(house.office)]


async def test_every_decision_and_reply_is_an_example_without_pii(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await decide(house, f"review my trip, I am {MAIL}", "approve")
        await decide(house, "review two", "edit", f"We wrote to {MAIL}.")
        await decide(house, "review three", "reject", "Sorry, no.")
        staff = await house.on_duty("Robin")
        conversation = await house.start()
        await house.say(conversation, f"person please, {MAIL}")
        await house.staff.take_over(conversation, staff, None)
        await house.staff.reply(conversation, staff, "Robin here: yes.", None)
        all_of_them = await found(house)
        assert [e.verdict for e in all_of_them] == ["approved", "edited", "rejected", "reply"]
        assert MAIL not in repr(all_of_them)
        assert "<EMAIL_1>" in all_of_them[0].question
        assert all_of_them[0].final == all_of_them[0].draft
        assert all_of_them[0].reasons == ("always_review",)
        assert all_of_them[2].why == "it is wrong"
        assert all_of_them[3].final == "Robin here: yes."
        assert all_of_them[1].edit_distance is not None


async def test_rows_cite_as_the_model_is_taught_and_the_trainer_reads_them(tmp_path: Path) -> None:
    class Citing(ScriptedDesk):
        async def supporting(self, text: str, passages: list[dict]) -> list[dict]:  # type: ignore[type-arg]
            if "hat" in text:
                return []
            return [
                {"number": 1, "quote": passages[0]["text"], "article": "return-window"}
                | {"version": "0123456789ab", "title": "", "anchor": "", "url": ""}
            ]

    desk = Citing(ScriptedEngine("You have 60 days [1]. Returns are free [2]."))
    async with open_house(tmp_path, desk) as house:
        await decide(house, "review one", "approve")
        await decide(house, "review two", "edit", "You can return it within 60 days.")
        await decide(house, "review three", "edit", "We owe you a hat.")
        made = await export(house.office)
    assert [row["answer"] for row in made.answers] == [
        "You have 60 days [1]. Returns are free [2].",
        "You can return it within 60 days [1].",
    ]
    assert [row["chosen"] for row in made.preferences] == ["You can return it within 60 days [1]."]
    assert made.preferences[0]["rejected"] == "You have 60 days [1]. Returns are free [2]."
    assert dict(made.left_out) == {"a claim without a passage": 1}
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made.answers))
    assert [row.answer for row in read_rows([path])] == [row["answer"] for row in made.answers]


@pytest.mark.parametrize(
    ("rule", "said", "expected"),
    [
        ("unless_refused", None, 1),
        ("unless_refused", False, 0),
        ("only_if_given", None, 0),
        ("only_if_given", True, 1),
        ("never", True, 0),
    ],
)
async def test_consent_is_respected(
    tmp_path: Path, rule: str, said: bool | None, expected: int
) -> None:
    async with open_house(tmp_path) as house:
        path = tmp_path / "review.toml"
        path.write_text(f'[learning]\nconsent = "{rule}"')
        house.office.rules = ReviewRules(house.office.settings, house.office.company.texts, path)
        conversation = await decide(house, "review one", "approve")
        if said is not None:
            await house.conversations.consent(conversation, said)
        assert len(await found(house)) == expected


async def test_what_was_erased_or_is_too_old_is_in_no_example(tmp_path: Path) -> None:
    async with open_house(tmp_path, retention_days=30) as house:
        await decide(house, "review one", "approve")
        erased = await decide(house, "review two", "approve")
        await house.upkeep.erasure.conversation(erased, "operator")
        assert [e.question for e in await found(house)] == ["review one"]
        house.clock.pass_s(31 * 86_400)
        assert await found(house) == []


def letters(texts: list[str]) -> np.ndarray:  # type: ignore[type-arg]
    """Vectors by topic word: what an encoder would find alike."""
    topics = ("vegan", "bike", "gift")
    vectors = np.array([[float(t in text) + 0.01 for t in topics] for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_questions_of_one_wish_are_one_group() -> None:
    texts = ["vegan boots?", "bike bags?", "are they vegan", "vegan glue"]
    assert [sorted(members) for members, _ in group(texts, letters)] == [[0, 2, 3], [1]]


async def test_frequent_questions_without_an_article_are_listed_with_examples(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, ScriptedDesk(passages=())) as house:
        for text in ("vegan boots?", "bike bags?", f"vegan glue? write to {MAIL}"):
            await house.say(await house.start(), text)
        report = await find_gaps(house.office, letters, days=7)
        assert report["questions"] == 3
        first = report["gaps"][0]
        assert first["size"] == 2
        assert set(first["examples"]) == {"vegan boots?", "vegan glue? write to <EMAIL_1>"}
        house.clock.pass_s(8 * 86_400)
        assert (await find_gaps(house.office, letters, days=7))["gaps"] == []
