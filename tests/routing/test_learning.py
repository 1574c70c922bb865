"""What of the desk's messages is worth a label, and how the labelled ones are read back."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from chatbot.errors import BadInput
from chatbot.routing.learning import candidates, judged
from chatbot.routing.learning_repository import Asked
from chatbot.routing.model import DEFAULT_WEIGHTS, RouterModel
from finetune.router_export import labelled_records
from knowledge_base.encoder import EncoderFiles
from tests.support.office import open_house


@cache
def router() -> RouterModel:
    return RouterModel.load(DEFAULT_WEIGHTS, EncoderFiles())


def asked(text: str, **known: str) -> Asked:
    fields = {"intent": None, "resolution": None, "thumbs": None} | known
    return Asked("msg", text, **fields)


def codes(message: Asked) -> tuple[str, ...]:
    found = judged([message], router())
    return found[0].why if found else ()


def test_a_message_that_went_well_is_not_collected() -> None:
    assert codes(asked("where is my order LM-1234567?")) == ()


def test_an_unclear_message_is_collected_with_the_routers_guess() -> None:
    (found,) = judged([asked("the second one please")], router())
    assert "low_confidence" in found.why
    row = found.as_row()
    assert row["intent"] is None
    assert row["guess"] == found.prediction.intent


def test_what_people_corrected_is_collected_however_sure_the_router_is() -> None:
    assert codes(asked("where is my order LM-1234567?", resolution="rejected")) == ("rejected",)
    assert codes(asked("where is my order LM-1234567?", thumbs="down")) == ("thumbs_down",)
    assert codes(asked("where is my order LM-1234567?", intent="complaint")) == ("changed",)


async def test_messages_of_the_desk_come_without_personal_data_and_once(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        for _ in range(2):
            conversation = await house.start()
            await house.say(conversation, "hm the one of ann@example.org again perhaps")
        found = [c.asked.text async for c in candidates(house.office, router())]
    assert found == ["hm the one of <EMAIL_1> again perhaps"]


def test_labelled_messages_come_back_with_values_in_place_of_placeholders(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    rows = [
        {"text": "cancel <ORDER_ID_1> for <EMAIL_1>", "intent": "order_cancel"},
        {"text": "no idea", "intent": None},
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    records, unlabelled = labelled_records(path, {"order_id"})
    assert unlabelled == 1
    ((number, row),) = records
    assert (number, row["intent"]) == (1, "order_cancel")
    assert "<" not in row["text"]
    (entity,) = row["entities"]
    assert row["text"][entity["start"] : entity["end"]] == "LM-4821093"
    path.write_text('{"text": "x"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="row 1: needs text and intent"):
        labelled_records(path, set())
