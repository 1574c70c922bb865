"""``finetune router`` and ``finetune evaluate router``: options in, one report out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from chatbot.errors import BadInput
from finetune.router_config import RouterConfig, load_config


def router_command(
    train: Annotated[Path | None, typer.Option(help="Labelled rows, JSONL or CSV.")] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option("--eval", help="For early stopping, calibration and the threshold only."),
    ] = None,
    add: Annotated[
        Path | None, typer.Option(help="Labelled messages of the desk, from router-export.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the trained router.")] = None,
    config: Annotated[Path | None, typer.Option(help="A recipe.toml.")] = None,
    encoder: Annotated[str | None, typer.Option(help="As CHATBOT_ENCODER.")] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    resume: Annotated[bool, typer.Option(help="Go on after the last finished epoch.")] = False,
    skip_bad_rows: Annotated[bool, typer.Option(help="Leave them out and list them.")] = False,
    recalibrate: Annotated[
        Path | None,
        typer.Option(help="A trained router: fit its confidence to --eval, train nothing."),
    ] = None,
    default: Annotated[
        bool, typer.Option(help="Train the router that is served when there is no other.")
    ] = False,
    data_root: Annotated[
        Path | None, typer.Option(help="Folder of the public sets, for --default.")
    ] = None,
) -> None:
    """Train a router: intents, entities and what is out of scope."""
    from finetune.router import train_router

    if recalibrate is not None:
        _recalibrate(recalibrate, evaluation)
        return
    command = None
    if default:
        from finetune.router_default import assemble_default

        assembled = assemble_default(data_root, seed or 0)
        train, evaluation = train or assembled.train, evaluation or assembled.dev
        out, command = out or assembled.out, assembled.command
    recipe = load_config(
        config,
        train=train,
        eval=evaluation,
        add=add,
        out=out,
        command=command,
        encoder=encoder,
        seed=seed,
        resume=resume or None,
        skip_bad_rows=skip_bad_rows or None,
    )
    metrics = train_router(recipe)
    print(json.dumps(metrics["dev"], indent=1))
    for row in metrics["look_mislabelled"][:10]:
        print(
            f"looks mislabelled: row {row['row']} {', '.join(row['intent'])} "
            f"(like {', '.join(row['suggested']) or 'none'}): {row['text']}"
        )
    print(f"written to {recipe.out}; see report.html there")


def _recalibrate(directory: Path, dev_file: Path | None) -> None:
    from finetune.router_recalibrate import recalibrate_router

    if dev_file is None:
        raise BadInput("--recalibrate needs --eval: labelled rows that it was not trained on")
    share = RouterConfig.model_fields["reject_share"].default
    print(json.dumps(recalibrate_router(directory, dev_file, share)["dev"], indent=1))


def evaluate_router_command(
    model: Annotated[Path, typer.Option(help="Folder of a trained router.")],
    data: Annotated[Path, typer.Option(help="Labelled rows, JSONL or CSV.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure a router on labelled rows."""
    from finetune.router import evaluate_router

    figures = evaluate_router(model, data)
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        shown = f"{value:.4f}" if isinstance(value, float) else "-" if value is None else value
        print(f"{name:30} {shown}")
