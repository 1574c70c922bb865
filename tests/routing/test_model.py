from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from chatbot.routing.model import DEFAULT_WEIGHTS, RouterModel
from knowledge_base.encoder import EncoderFiles


@pytest.fixture(scope="module")
def model() -> RouterModel:
    return RouterModel.load(DEFAULT_WEIGHTS, EncoderFiles())


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("where is my order LM-1234567?", "order_status"),
        ("WHERE IS MY ORDER", "order_status"),
        ("can I talk to a real person please", "human_request"),
        ("hello", "greeting"),
        ("how long do I have to send boots back", "return_policy"),
        ("are you a bot", "bot_identity"),
    ],
)
def test_everyday_messages_find_their_intent(model: RouterModel, text: str, intent: str) -> None:
    found = model.predict([text])[0]
    assert found.intent == intent
    assert not found.out_of_scope


def test_every_known_intent_has_a_probability_sorted_from_the_best(model: RouterModel) -> None:
    found = model.predict(["where is my order?"])[0]
    chances = [p for _, p in found.intents]
    assert {name for name, _ in found.intents} == set(model.intents)
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1, abs=1e-4)


def test_entities_are_spans_of_the_text_as_sent(model: RouterModel) -> None:
    text = "  👍 Ünïted: order  LM-1234567 please"
    entities = model.predict([text])[0].entities
    order = next(e for e in entities if e.label == "order_id")
    assert text[order.start : order.end] == order.text == "LM-1234567"
    assert order.source == "model"


def test_a_question_about_something_else_entirely_is_out_of_scope(model: RouterModel) -> None:
    far, near = model.predict(["what is the tallest mountain on mars", "where is my order"])
    assert far.out_of_scope
    assert far.out_of_scope_score > 0.5 > near.out_of_scope_score


@pytest.mark.parametrize("text", ["🙂🎉", "", "   "])
def test_a_text_without_a_word_it_knows_is_out_of_scope(model: RouterModel, text: str) -> None:
    found = model.predict([text])[0]
    assert found.out_of_scope
    assert found.out_of_scope_score == 1.0


def test_nothing_in_nothing_out(model: RouterModel) -> None:
    assert model.predict([]) == []


def test_a_batch_says_the_same_as_its_messages_one_by_one(model: RouterModel) -> None:
    texts = ["hi", "where is my order LM-1234567, I ordered it on 3 March and waited", "refund?"]
    together = model.predict(texts)
    for text, found in zip(texts, together, strict=True):
        alone = model.predict([text])[0]
        assert alone.intent == found.intent
        assert alone.confidence == pytest.approx(found.confidence, abs=1e-3)
        assert [e.text for e in alone.entities] == [e.text for e in found.entities]


def test_threads_may_share_one_model(model: RouterModel) -> None:
    texts = [f"where is my order LM-{n}000{n}" for n in range(1, 9)]
    expected = [model.predict([t])[0].intents[0] for t in texts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda t: model.predict([t])[0].intents[0], texts))
    assert [name for name, _ in found] == [name for name, _ in expected]


def test_an_entity_far_down_a_long_message_is_found(model: RouterModel) -> None:
    text = "I have been a customer for years and like the shop. " * 60 + "Order LM-1234567."
    found = model.predict([text])[0]
    assert "LM-1234567" in [e.text for e in found.entities]


def test_a_megabyte_is_read_no_further_than_a_message_may_be(model: RouterModel) -> None:
    assert model.predict(["where is my order " * 55_000])[0].intents


def test_the_nearest_examples_explain_a_prediction(model: RouterModel) -> None:
    nearest = model.nearest("thanks very much", 3)
    assert len(nearest) == 3
    assert nearest[0].intent == "thanks_bye"
    assert nearest[0].similarity >= nearest[1].similarity


def test_a_router_of_another_encoder_is_refused_with_the_remedy(tmp_path: Path) -> None:
    copy = tmp_path / "router"
    shutil.copytree(DEFAULT_WEIGHTS, copy)
    manifest = json.loads((copy / "router.json").read_text())
    manifest["encoder_digest"] = "0" * 12
    (copy / "router.json").write_text(json.dumps(manifest))
    with pytest.raises(SetupError, match="finetune router"):
        RouterModel.load(copy, EncoderFiles())


@pytest.mark.parametrize("name", ["router.json", "adapter.safetensors", "index.json"])
def test_a_damaged_folder_is_named(tmp_path: Path, name: str) -> None:
    copy = tmp_path / "router"
    shutil.copytree(DEFAULT_WEIGHTS, copy)
    (copy / name).write_bytes(b"{")
    with pytest.raises(SetupError, match=name):
        RouterModel.load(copy, EncoderFiles())
