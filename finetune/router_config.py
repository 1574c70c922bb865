"""The recipe of a router: every number that training uses, with its reason."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot.errors import SetupError
from knowledge_base.encoder import DEFAULT_ENCODER


class RouterConfig(BaseModel):
    """What ``--config recipe.toml`` may hold; options of the command line win over it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: Path
    out: Path
    eval: Path | None = None
    add: Path | None = None
    """Messages of the desk that a person labelled (``finetune router-export``)."""
    encoder: str = DEFAULT_ENCODER
    seed: int = 0
    resume: bool = False
    skip_bad_rows: bool = False
    command: str | None = None
    """What the card says instead of the command that these values make."""

    lora_rank: int = Field(default=16, ge=1, le=64)  # 1.3 MB of fp16 on MiniLM
    learning_rate: float = Field(default=1e-3, gt=0)
    few_shot_rows: int = Field(default=40, ge=0)  # an intent; below it the encoder stays as it is
    head_learning_rate: float = Field(default=5e-3, gt=0)
    average_decay: float = Field(default=0.998, ge=0, lt=1)  # of the weights that are kept
    epochs: int = Field(default=6, ge=1)
    min_steps: int = Field(default=1200, ge=0)  # small sets get more epochs, up to 25
    time_budget_minutes: float = Field(default=20.0, gt=0)  # fewer epochs where the machine is slow
    patience: int = Field(default=3, ge=1)  # epochs without a better dev score
    batch_size: int = Field(default=32, ge=2)
    warmup: float = Field(default=0.06, ge=0, lt=1)  # share of the steps
    scale: float = Field(default=20.0, gt=0)  # of the cosine logits
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    entity_weight: float = Field(default=1.0, ge=0)
    augmentation: float = Field(default=0.3, ge=0, le=1)  # share of rows with noise
    index_per_intent: int = Field(default=40, ge=1)  # neighbours kept: 30 kB an intent
    dev_share: float = Field(default=0.1, gt=0, lt=0.5)  # held out when there is no eval file
    reject_share: float = Field(default=0.022, gt=0, lt=0.5)
    """In-scope rows that may be refused though their intent was right: of 96.5% right rows 94%
    stay. With out-of-scope rows in --eval the threshold has the highest recall that this allows."""


def load_config(path: Path | None, **options: Any) -> RouterConfig:
    """The recipe file, overridden by the options that are not None. Raises SetupError."""
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SetupError(f"{path}: no such recipe") from None
        except tomllib.TOMLDecodeError as error:
            raise SetupError(f"{path}: {error}") from None
    values |= {key: value for key, value in options.items() if value is not None}
    try:
        return RouterConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SetupError(f"recipe: {where}: {first['msg']} (got {first['input']!r})") from None
