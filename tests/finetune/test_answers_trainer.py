from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from finetune.answers_batches import BranchCollator
from finetune.answers_rows import IGNORED
from finetune.answers_trainer import AnswersTrainer

# peft asks transformers for a name that its next major release drops.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")


@pytest.fixture
def model() -> Any:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    return get_peft_model(LlamaForCausalLM(config), LoraConfig(r=2, target_modules="all-linear"))


def sequence(length: int, prompt: int) -> dict[str, list[int]]:
    ids = [(7 * n) % 60 + 2 for n in range(length)]
    return {
        "input_ids": ids,
        "labels": [IGNORED] * prompt + ids[prompt:],
        "position_ids": list(range(length)),
        "branch": [0] * prompt + [1] * (length - prompt),
    }


def test_the_loss_on_the_answers_alone_is_the_models_own_loss(model: Any) -> None:
    batch = BranchCollator(0)([sequence(20, 12), sequence(15, 9)])
    trainer = SimpleNamespace(finished=lambda model, loss: loss)
    loss = AnswersTrainer.compute_loss(trainer, model, dict(batch))  # type: ignore[arg-type]
    whole = model(**{k: v for k, v in batch.items() if k != "branch"}).loss
    assert loss.item() == pytest.approx(whole.item(), abs=1e-5)
    loss.backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
