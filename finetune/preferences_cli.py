"""``finetune preferences | sweep``: options in, one report out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from chatbot.settings import load_settings

DataDir = Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")]
Config = Annotated[Path | None, typer.Option(help="A recipe.toml with [answers].")]
RECIPE_RATE = 5e-5
"""Preferences move a trained adapter: a tenth of the rate that trains it."""


def preferences_command(
    data: Annotated[Path, typer.Option(help="Pairs of 'prepare --from-desk --preferences'.")],
    start: Annotated[str, typer.Option(help="The adapter to go on from: folder or version.")],
    out: Annotated[Path, typer.Option(help="Folder of the new adapter.")],
    dev: Annotated[Path | None, typer.Option(help="Pairs for the dev loss only.")] = None,
    config: Config = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    seed: Annotated[int | None, typer.Option(help="Overrides the recipe's seed.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Although there is a GPU.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Train an adapter on what reviewers preferred to its drafts (DPO)."""
    from dataclasses import replace

    from chatbot.answering.base_model import prepare_base_model
    from chatbot.answering.served import check_adapter, resolve_adapter
    from chatbot.errors import BadInput
    from finetune.answers_recipe import AnswersRecipe, load_recipe
    from finetune.preferences import read_pairs, train_preferences

    settings = load_settings(data_dir=data_dir, answer_adapter=start)
    base, adapter = prepare_base_model(settings), resolve_adapter(settings)
    if adapter is None:
        raise BadInput("--start none: preferences go on with an adapter; give a folder or version")
    recipe = load_recipe(config)
    if config is None:
        rank = check_adapter(adapter, base).rank
        recipe = replace(AnswersRecipe(), rank=rank, learning_rate=RECIPE_RATE, batch_size=2)
    metrics = train_preferences(
        recipe,
        read_pairs(data),
        out,
        base=base,
        start=adapter,
        dev=read_pairs(dev) if dev else (),
        resume=resume,
        seed=seed,
        cpu=cpu,
    )
    curves = ("losses", "dev_losses", "learning_rates", "samples")
    print(json.dumps({k: v for k, v in metrics.items() if k not in curves}, indent=1))


def sweep_command(
    data: Annotated[list[Path], typer.Option(help="JSON lines; may be given several times.")],
    dev: Annotated[list[Path], typer.Option(help="Rows whose loss is minimised.")],
    out: Annotated[Path, typer.Option(help="Folder of the trials; the best one is named.")],
    trials: Annotated[
        int, typer.Option(min=1, help="How many to train, earlier ones counted.")
    ] = 8,
    config: Config = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Although there is a GPU.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Search rank, learning rate and epochs for the lowest dev loss (optuna, TPE)."""
    from chatbot.answering.base_model import prepare_base_model
    from finetune.answers_recipe import load_recipe
    from finetune.answers_rows import read_rows
    from finetune.sweep import load_space, sweep

    found = sweep(
        load_recipe(config),
        read_rows(data),
        read_rows(dev),
        out,
        base=prepare_base_model(load_settings(data_dir=data_dir)),
        trials=trials,
        space=load_space(config),
        cpu=cpu,
    )
    print(json.dumps(found, indent=1))
