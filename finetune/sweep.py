"""A small search over rank, learning rate and epochs, interrupted and gone on with at will.

Tree-structured Parzen estimator (https://papers.nips.cc/paper/4443) by optuna, with the first
trial at the recipe itself. Trials lie in ``out/trial-N``, the study in ``out/study.log``.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from finetune.answers import train_answers
from finetune.answers_recipe import AnswersRecipe
from finetune.answers_rows import AnswerRow

RANKS = (4, 8, 16, 32)
RATES = (1e-4, 2e-3)
EPOCHS = (1.0, 2.0, 3.0)


def sweep(
    recipe: AnswersRecipe,
    rows: Sequence[AnswerRow],
    dev: Sequence[AnswerRow],
    out: Path,
    *,
    base: Path,
    trials: int,
    cpu: bool = False,
) -> dict[str, Any]:
    """Trains until ``trials`` are done; names the best with its recipe. Raises SetupError
    without dev rows. A trial whose loss is not a number counts as done and is passed over."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

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
        rate = min(max(recipe.learning_rate, RATES[0]), RATES[1])
        near = min(EPOCHS, key=lambda e: abs(e - recipe.epochs))
        own = {"rank": recipe.rank, "learning_rate": rate, "epochs": near}
        study.enqueue_trial(own)

    def objective(trial: Any) -> float:
        chosen = replace(
            recipe,
            rank=trial.suggest_categorical("rank", sorted({*RANKS, recipe.rank})),
            learning_rate=trial.suggest_float("learning_rate", *RATES, log=True),
            epochs=trial.suggest_categorical("epochs", EPOCHS),
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
