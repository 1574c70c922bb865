"""Toxicity and grounding answer compiled as they do with PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chatbot.safety.grounding import WEIGHTS
from chatbot.safety.grounding_head import GroundingHead
from chatbot.safety.toxicity import MAX_CHARS, TextTooLong
from chatbot.safety.toxicity_compiled import CompiledScorer
from knowledge_base.compiled import encoder_status
from knowledge_base.encoder import EncoderFiles
from tests.safety import toxicity_model

TEXTS = [
    "Where is my parcel? It was due on Tuesday.",
    "You are a worthless idiot and everybody hates you.",
    "Yоu аre а wоrthless іdіоt",
    "I will find you and kill you 🔪",
    "The label costs £3.50. " * 40 + "You stupid people. " + "Thank you for your help. " * 30,
    "",
    "👍",
]
PAIRS = [
    ("You have 60 days to return an item.", "Returns. You have 60 days from delivery."),
    ("You have 90 days to return an item.", "Returns. You have 60 days from delivery."),
    ("A gift card never expires.", "Gift cards. A gift card is valid for five years. " * 12),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def scorer(compiled: Path) -> CompiledScorer:
    return CompiledScorer(toxicity_model.checkpoint(), compiled)


def test_compiled_toxicity_scores_are_detoxifys(scorer: CompiledScorer) -> None:
    reference = toxicity_model.scorer()
    assert encoder_status()["toxicity"].engine.startswith("openvino")
    assert scorer.name == reference.name
    for text, found, expected in zip(
        TEXTS, scorer.score(TEXTS), reference.score(TEXTS), strict=True
    ):
        assert found == pytest.approx(expected, abs=1e-2), text


def test_the_next_start_knows_classes_and_tokenizer_without_detoxify(
    scorer: CompiledScorer, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("Detoxify was loaded")

    monkeypatch.setattr("chatbot.safety.toxicity_compiled.load_detoxify", never)
    later = CompiledScorer(toxicity_model.checkpoint(), compiled)
    assert later.score(TEXTS) == scorer.score(TEXTS)


def test_too_long_a_text_is_refused_compiled_too(scorer: CompiledScorer) -> None:
    with pytest.raises(TextTooLong, match=f"the limit is {MAX_CHARS}"):
        scorer.score(["a" * (MAX_CHARS + 1)])


def test_without_a_folder_detoxifys_network_runs_with_pytorch() -> None:
    plain = CompiledScorer(toxicity_model.checkpoint(), None)
    found, expected = plain.score(TEXTS[:2]), toxicity_model.scorer().score(TEXTS[:2])
    assert encoder_status()["toxicity"].engine == "torch f32"
    assert found[1] == pytest.approx(expected[1], abs=1e-4)


def test_compiled_grounding_scores_are_pytorchs(compiled: Path) -> None:
    plain = GroundingHead.load(WEIGHTS, EncoderFiles())
    fast = GroundingHead.load(WEIGHTS, EncoderFiles(cache=compiled))
    assert encoder_status()["grounding"].engine.startswith("openvino")
    features = [0.0] * (len(plain.manifest.weights) - 1)
    chances = [
        [head.probability(float(logit), features) for logit in head.logits(PAIRS)]
        for head in (fast, plain)
    ]
    assert np.abs(np.subtract(*chances)).max() < 1e-2
