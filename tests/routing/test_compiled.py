from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.routing.model import DEFAULT_WEIGHTS, RouterModel
from knowledge_base.compiled import encoder_status
from knowledge_base.encoder import EncoderFiles

TEXTS = [
    "where is my parcel? my order number is LM-48213",
    "how do I wash the down jacket",
    "what is the capital of France",
    "I want my money back. " * 60 + "My email is kim@example.com",
    "😡",
]


def test_the_compiled_router_predicts_what_pytorch_does(tmp_path: Path) -> None:
    expected = RouterModel.load(DEFAULT_WEIGHTS, EncoderFiles()).predict(TEXTS)
    found = RouterModel.load(DEFAULT_WEIGHTS, EncoderFiles(cache=tmp_path)).predict(TEXTS)
    assert encoder_status()["router"].engine.startswith("openvino")
    for text, one, other in zip(TEXTS, found, expected, strict=True):
        assert dict(one.intents) == pytest.approx(dict(other.intents), abs=1e-2), text
        assert one.out_of_scope_score == pytest.approx(other.out_of_scope_score, abs=1e-2), text
        spans = [(e.start, e.end, e.label) for e in one.entities]
        assert spans == [(e.start, e.end, e.label) for e in other.entities]
