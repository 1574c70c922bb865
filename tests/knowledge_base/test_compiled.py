from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from knowledge_base import compiled
from knowledge_base.compiled import Recipe, encoder_status, load, readiness
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.lora import AdapterUnusable
from knowledge_base.pairs import PairScorer
from knowledge_base.reranker import DEFAULT, TENSORS, Reranker, read_manifest

CLOSE = 1e-2  # the reranker's small temperature makes twice that of bfloat16's rounding
TEXTS = [
    "Where is my parcel?",
    "I ordered a coat on Monday, paid with a gift card, and have heard nothing since. " * 6,
    "refund",
    "Kann ich die Jacke zurückgeben? 😡",
]
PASSAGES = [
    ("Returning an item > What it costs", "The label costs £3.50 and is taken off the refund."),
    ("Returning an item", "You have 60 days from delivery to return an item."),
    ("", "A gift card is valid for five years. " * 12),
]


class Tiny(nn.Module):
    """Means of learned vectors: compiled in a moment."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.table = nn.Embedding(1000, 16)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        weights = mask.unsqueeze(-1).to(torch.float32)
        return (self.table(ids) * weights).sum(1) / weights.sum(1)


class Forgetful(Tiny):
    """Computes in Python with its input: a converted network has a constant in its place."""

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        return super().forward(ids, mask, types) * float(ids[0, 0])


def tiny(name: str = "tiny", version: str = "1") -> Recipe:
    return Recipe(name, {"weights": version}, Tiny)


def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = np.array([[3, 4, 5], [6, 7, 0]])
    return ids, np.array([[1, 1, 1], [1, 1, 0]]), np.zeros_like(ids)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def fast(cache: Path) -> TransformerEncoder:
    return TransformerEncoder(EncoderFiles(cache=cache))


def test_compiled_vectors_are_pytorchs(fast: TransformerEncoder, encoder) -> None:
    found, expected = fast.embed(TEXTS), encoder.embed(TEXTS)
    assert (found * expected).sum(1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-3)
    assert np.abs(found - expected).max() < CLOSE
    assert fast.name == encoder.name


def test_compiled_reranker_scores_are_pytorchs(cache: Path) -> None:
    question = "how much do you take for the return label"
    expected = Reranker.load(encoder=EncoderFiles(), stages=1).score(question, PASSAGES)
    found = Reranker.load(encoder=EncoderFiles(cache=cache), stages=1).score(question, PASSAGES)
    assert encoder_status()["reranker"].engine.startswith("openvino")
    assert found == pytest.approx(expected, abs=2 * CLOSE)


def test_a_later_start_builds_nothing_and_loads_no_torch(fast: TransformerEncoder) -> None:
    fast.embed(["warm"])
    program = (
        "import sys; from pathlib import Path\n"
        "from knowledge_base.encoder import EncoderFiles, TransformerEncoder\n"
        "encoder = TransformerEncoder(EncoderFiles(cache=Path(sys.argv[1])))\n"
        "assert encoder.embed(['Where is my parcel?']).shape == (1, encoder.dimension)\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(fast.files.cache)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert done.stdout.split() == ["False", "False"]


def test_a_question_asked_again_costs_no_pass(fast: TransformerEncoder) -> None:
    first = fast.embed(["how long is a gift card valid"])
    passes = fast._parts[1].passes
    again = fast.embed(["how long is a gift card valid", "how long is a gift card valid"])
    assert fast._parts[1].passes == passes
    assert (again == first).all()


def test_no_texts_have_no_vectors(fast: TransformerEncoder) -> None:
    assert fast.embed([]).shape == (0, 384)


def test_the_network_is_made_once_and_again_for_other_weights(tmp_path: Path) -> None:
    wanted = load(tiny(), tmp_path).forward.run(*arrays())[0]
    assert wanted == pytest.approx(load(tiny(), None).forward.run(*arrays())[0], abs=CLOSE)

    def never() -> nn.Module:
        raise AssertionError("it was built again")

    found = load(Recipe("tiny", {"weights": "1"}, never), tmp_path).forward.run(*arrays())[0]
    assert (found == wanted).all()
    load(Recipe("tiny", {"weights": "2"}, lambda: Tiny(1)), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1, "older weights are removed"


def test_extras_are_kept_with_the_network(tmp_path: Path) -> None:
    recipe = Recipe("tiny", {}, Tiny, lambda: {"classes.json": '["a"]'})
    assert load(recipe, tmp_path).extras == {"classes.json": '["a"]'}
    later = Recipe("tiny", {}, Tiny, lambda: {"classes.json": "not asked again"})
    assert load(later, tmp_path).extras == {"classes.json": '["a"]'}


def test_a_damaged_file_is_noticed_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = load(tiny(), tmp_path).forward.run(*arrays())[0]
    weights = next(tmp_path.glob("*/model.bin"))
    weights.write_bytes(b"\0" * weights.stat().st_size)
    found = load(tiny(), tmp_path).forward.run(*arrays())[0]
    assert (found == wanted).all()
    assert "is not as it was written" in caplog.text


def test_without_openvino_pytorch_answers_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    found = load(tiny("alone"), tmp_path).forward.run(*arrays())[0]
    assert (found == load(tiny("other"), None).forward.run(*arrays())[0]).all()
    assert encoder_status()["alone"].engine == "torch f32"
    assert "pip install openvino" in caplog.text
    assert "alone: openvino cannot be imported" in str(readiness()["problem"])
    monkeypatch.delitem(compiled._statuses, "alone")
    assert readiness()["ok"] is True


def test_a_network_that_answers_otherwise_when_converted_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = load(Recipe("forgetful", {}, Forgetful), tmp_path)
    assert encoder_status()["forgetful"].engine == "torch f32"
    assert "differs by" in caplog.text
    assert np.isfinite(forgetful.forward.run(*arrays())[0]).all()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delitem(compiled._statuses, "forgetful")


def test_damaged_weights_are_an_error_not_a_slower_engine(tmp_path: Path) -> None:
    (tmp_path / "adapter.safetensors").write_bytes(b"torn")
    with pytest.raises(AdapterUnusable, match="cannot be read"):
        PairScorer.load(
            "torn", tmp_path / "adapter.safetensors", 1.0, 32, EncoderFiles(cache=tmp_path / "c")
        )


def test_pairs_are_scored_one_by_one_as_together(cache: Path) -> None:
    files, scale = EncoderFiles(cache=cache), read_manifest(DEFAULT).first.scale
    scorer = PairScorer.load("reranker", DEFAULT / TENSORS, scale, 128, files)
    seconds = [text for _, text in PASSAGES]
    together = scorer.logits_for("does a gift card expire", seconds)
    alone = [scorer.logits([("does a gift card expire", second)])[0] for second in seconds]
    assert together == pytest.approx(alone, abs=0.1)
    assert scorer.logits([]).shape == (0,)
