"""What ``recipe.toml`` may say under ``[answers]``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError

METHODS = ("lora", "rslora", "dora", "qlora", "adalora", "prefix", "full")
SCHEDULES = ("cosine", "linear", "constant", "constant_with_warmup")
TABLE = "answers"


@dataclass(frozen=True)
class AnswersRecipe:
    """One optimiser step sees ``batch_size`` × ``accumulate`` sequences on each process."""

    method: str = "lora"
    rank: int = 16
    """Of the adapter; for prefix tuning the number of virtual tokens."""
    alpha: int = 32
    dropout: float = 0.0
    learning_rate: float = 8e-4
    schedule: str = "cosine"
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    epochs: float = 1.0
    batch_size: int = 3
    accumulate: int = 1
    max_tokens: int = 900
    packing: bool = False
    """Several prompts in one sequence, each blind to the others."""
    save_every_steps: int = 10
    log_every_steps: int = 5
    eval_every_steps: int = 0
    """Of the dev loss; 0 is once an epoch. The best weights are kept."""
    patience: int = 0
    """Stop after so many evaluations without a better dev loss; 0 never stops early."""
    gradient_checkpointing: bool = False
    replay_share: float = 0.2
    """With --replay: rows of earlier data for each row, drawn by the seed."""
    anchor: float = 0.0
    """With --start: strength of the elastic penalty that pulls the weights back to it."""
    start_share: float = 0.0
    """With --start: its share in the mean of both adapters' weights that is saved."""
    preference_beta: float = 0.1
    preference_sft: float = 0.2
    """Weight of the ordinary loss on the chosen text, which keeps its likelihood up."""
    seed: int = 1

    @property
    def branched(self) -> bool:
        """Whether rows of one prompt may share it: a prefix cannot be put before a 4-D mask."""
        return self.method != "prefix"


_BOUNDS: dict[str, tuple[float, float]] = {
    "rank": (1, 512), "alpha": (1, 4096), "dropout": (0, 0.9), "learning_rate": (1e-8, 1),
    "warmup_share": (0, 0.9), "weight_decay": (0, 1), "epochs": (0.001, 1000),
    "batch_size": (1, 4096), "accumulate": (1, 4096), "max_tokens": (32, 131_072),
    "save_every_steps": (1, 1_000_000), "log_every_steps": (1, 1_000_000),
    "eval_every_steps": (0, 1_000_000), "patience": (0, 10_000), "replay_share": (0, 10),
    "anchor": (0, 1e6), "start_share": (0, 1), "preference_beta": (1e-4, 10),
    "preference_sft": (0, 10),
}  # fmt: skip


def load_recipe(path: Path | None) -> AnswersRecipe:
    """Raises SetupError naming an unknown table or key, or a value of another type or range."""
    if path is None:
        return AnswersRecipe()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetupError(f"{path} cannot be read as a recipe: {error}") from None
    others = sorted(name for name in tables if name not in (TABLE, "sweep"))
    if others:
        raise SetupError(f"{path}: {others[0]!r} is not known here; keys go below [{TABLE}]")
    if not isinstance(tables.get(TABLE, {}), dict):
        raise SetupError(f"{path}: {TABLE!r} is {tables[TABLE]!r}; it must be a table, [{TABLE}]")
    content: dict[str, Any] = dict(tables.get(TABLE, {}))
    known = {field.name: type(field.default) for field in fields(AnswersRecipe)}
    for name, value in content.items():
        if name not in known:
            raise SetupError(f"{path}: unknown key {name!r}; known: {', '.join(sorted(known))}")
        if known[name] is float and isinstance(value, int) and not isinstance(value, bool):
            content[name] = float(value)
        elif type(value) is not known[name]:
            raise SetupError(f"{path}: {name} must be a {known[name].__name__}, got {value!r}")
    return checked(AnswersRecipe(**content), str(path))


def checked(recipe: AnswersRecipe, where: str = "recipe") -> AnswersRecipe:
    """Raises SetupError for a value out of range."""
    for name, allowed in (("method", METHODS), ("schedule", SCHEDULES)):
        if getattr(recipe, name) not in allowed:
            raise SetupError(
                f"{where}: {name} is {getattr(recipe, name)!r}; use one of {', '.join(allowed)}"
            )
    for name, (low, high) in _BOUNDS.items():
        value = getattr(recipe, name)
        if not low <= value <= high:
            raise SetupError(f"{where}: {name} must lie in {low:g} to {high:g}, got {value:g}")
    return recipe
