"""A small search over rank, learning rate and epochs, interrupted and gone on with at will.

Tree-structured Parzen estimator (https://papers.nips.cc/paper/4443) by optuna, with the first
trial at the recipe itself. Trials lie in ``out/trial-N``, the study in ``out/study.log``.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from finetune.answers import train_answers
from finetune.answers_recipe import AnswersRecipe
from finetune.answers_rows import AnswerRow

TABLE = "sweep"


@dataclass(frozen=True)
class SweepSpace:
    """What is searched: any of ``ranks`` and ``epochs``, rates between two."""

    ranks: tuple[int, ...] = (4, 8, 16, 32)
    learning_rates: tuple[float, float] = (1e-4, 2e-3)
    epochs: tuple[float, ...] = (1.0, 2.0, 3.0)


def load_space(path: Path | None) -> SweepSpace:
    """``[sweep]`` of a recipe. Raises SetupError naming a key or value that cannot be meant."""
    table = tomllib.loads(path.read_text(encoding="utf-8")).get(TABLE, {}) if path else {}
    if not isinstance(table, dict):
        raise SetupError(f"{path}: {TABLE!r} is {table!r}; it must be a table, [{TABLE}]")
    known = [field.name for field in fields(SweepSpace)]
    for name, values in table.items():
        if name not in known:
            raise SetupError(
                f"{path}: unknown key {name!r} in [{TABLE}]; known: {', '.join(known)}"
            )
        numbers = isinstance(values, list) and values and all(
            isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in values
        )  # fmt: skip
        if not numbers:
            raise SetupError(f"{path}: {name} must be a list of positive numbers, got {values!r}")
        if name == "ranks" and not all(isinstance(v, int) for v in values):
            raise SetupError(f"{path}: ranks must be whole numbers, got {values!r}")
        if name == "learning_rates" and (len(values) != 2 or values[0] >= values[1]):
            raise SetupError(f"{path}: learning_rates must be [lowest, highest], got {values!r}")
    chosen: dict[str, Any] = {
        name: tuple(values if name == "ranks" else map(float, values))
        for name, values in table.items()
    }
    return SweepSpace(**chosen)


def sweep(
    recipe: AnswersRecipe,
    rows: Sequence[AnswerRow],
    dev: Sequence[AnswerRow],
    out: Path,
    *,
    base: Path,
    trials: int,
    space: SweepSpace | None = None,
    cpu: bool = False,
) -> dict[str, Any]:
    """Trains until ``trials`` are done; names the best with its recipe. Raises SetupError
    without dev rows. A trial whose loss is not a number counts as done and is passed over."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    space = space or SweepSpace()
    low, high = space.learning_rates
    if not dev:
        raise SetupError("a sweep needs rows whose loss is compared: --dev FILE")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name="answers",
        storage=JournalStorage(JournalFileBackend(str(out / "study.log"))),
        sampler=optuna.samplers.TPESampler(seed=recipe.seed),
        load_if_exists=True,
    )
    if not study.trials:
        rate = min(max(recipe.learning_rate, low), high)
        near = min(space.epochs, key=lambda e: abs(e - recipe.epochs))
        own = {"rank": recipe.rank, "learning_rate": rate, "epochs": near}
        study.enqueue_trial(own)

    def objective(trial: Any) -> float:
        chosen = replace(
            recipe,
            rank=trial.suggest_categorical("rank", sorted({*space.ranks, recipe.rank})),
            learning_rate=trial.suggest_float("learning_rate", low, high, log=True),
            epochs=trial.suggest_categorical("epochs", space.epochs),
        )
        folder = out / f"trial-{trial.number}"
        shutil.rmtree(folder, ignore_errors=True)  # of a trial that was interrupted
        metrics = train_answers(chosen, rows, folder, base=base, dev=dev, cpu=cpu)
        return float(metrics["dev_loss"])

    finished = [trial for trial in study.trials if trial.state.is_finished()]
    study.optimize(objective, n_trials=max(0, trials - len(finished)), catch=(SetupError,))
    done = [t for t in study.trials if t.value is not None]
    if not done:
        raise SetupError(f"none of {trials} trials came to an end; see {out}")
    best = study.best_trial
    return {
        "best": str(out / f"trial-{best.number}"),
        "dev_loss": best.value,
        "recipe": best.params,
        "trials": [{"number": t.number, "dev_loss": t.value, **t.params} for t in done],
    }
