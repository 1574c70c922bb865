"""Command line of the offline training script: ``python -m finetune COMMAND --help``."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from chatbot.errors import DeskgateError
from finetune.trial_cli import app as trial
from knowledge_base.errors import KnowledgeError

app = typer.Typer(
    help="From conversations to a better bot: prepare, train, evaluate, promote.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
evaluate = typer.Typer(help="Figures on labelled files.", no_args_is_help=True)
app.add_typer(evaluate, name="evaluate")
app.add_typer(trial, name="trial")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="instead of CHATBOT_DATA_DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
On = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="As if it were that day: articles expire."),
]
Report = Annotated[Path | None, typer.Option(help="HTML page to write, failures first.")]

# Trainers live in modules of their own; their options are declared beside them.
COMMANDS = {
    "prepare": ("finetune.answers_cli", "prepare_command"),
    "answers": ("finetune.answers_cli", "answers_command"),
    "preferences": ("finetune.preferences_cli", "preferences_command"),
    "sweep": ("finetune.preferences_cli", "sweep_command"),
    "promote": ("finetune.promotion_cli", "promote_command"),
    "rollback": ("finetune.promotion_cli", "rollback_command"),
    "list": ("finetune.promotion_cli", "list_command"),
    "export": ("finetune.export", "export_command"),
    "router": ("finetune.router_cli", "router_command"),
    "router-sets": ("finetune.router_sets", "router_sets_command"),
    "router-export": ("finetune.router_export", "router_export_command"),
    "toxicity": ("finetune.toxicity", "toxicity_command"),
    "grounding": ("finetune.grounding", "grounding_command"),
    "reranker": ("finetune.reranker", "reranker_command"),
    "screen": ("finetune.screen", "command"),
    "pii": ("finetune.pii", "pii_command"),
    "answerable": ("finetune.answerable", "answerable_command"),
}
EVALUATIONS = {
    "gate": ("finetune.gate_evaluate", "evaluate_gate_command"),
    "throughput": ("finetune.throughput", "evaluate_throughput_command"),
    "export": ("finetune.export_check", "evaluate_export_command"),
    "provoked": ("finetune.provoked", "evaluate_provoked_command"),
    "candidate": ("finetune.promotion_cli", "evaluate_candidate_command"),
    "router": ("finetune.router_cli", "evaluate_router_command"),
    "toxicity": ("finetune.toxicity_evaluate", "evaluate_toxicity_command"),
    "grounding": ("finetune.grounding", "evaluate_grounding_command"),
    "generation": ("finetune.answers_cli", "evaluate_generation_command"),
}


def _register(target: typer.Typer, commands: dict[str, tuple[str, str]], asked: str) -> None:
    """Only what is asked for is imported, so that a rollback takes no trainer; all for --help."""
    for name, (module, function) in commands.items():
        if asked in commands and name != asked:
            continue
        command: Callable[..., Any] = getattr(import_module(module), function)
        target.command(name)(command)


@evaluate.command("retrieval")
def evaluate_retrieval_command(
    data: Annotated[Path, typer.Option(help='JSONL {"question", "articles", "history"?}.')],
    snapshot: Annotated[str | None, typer.Option(help="Default: the serving one.")] = None,
    compare: Annotated[bool, typer.Option(help="Also dense, BM25 and rank fusion.")] = False,
    on: On = None,
    report: Report = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Recall, MRR and nDCG against a snapshot, the relevance floor off."""
    from chatbot.settings import load_settings
    from finetune import retrieval_baselines, retrieval_eval
    from knowledge_base.opening import open_retriever
    from knowledge_base.quiet import quiet_libraries

    quiet_libraries()
    retriever = open_retriever(load_settings(data_dir=data_dir), snapshot=snapshot)
    if on is not None:
        retriever.today = on.date
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines() if line]
    done = retrieval_eval.searched(rows, retriever)
    if report is not None:
        retrieval_eval.report(report, done)
    found: dict[str, Any] = retrieval_eval.figures(done)
    if compare:
        others = retrieval_baselines.baselines(retriever)
        found |= {
            name: retrieval_eval.evaluate_retrieval(rows, ranker) for name, ranker in others.items()
        }
    _print(found, as_json)


@evaluate.command("answers")
def evaluate_answers_command(
    data: Annotated[Path, typer.Option(help="JSONL with must, must_not, expect.")],
    out: Annotated[Path | None, typer.Option(help="Every reply, one JSON object a line.")] = None,
    on: On = None,
    report: Report = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Whole turns, gate included, judged by each row's own rules."""
    from chatbot.desk import Desk
    from chatbot.loading import load_desk
    from chatbot.prepare import prepare
    from chatbot.settings import load_settings
    from finetune.turns_eval import html_report, read_rows, run, write_replies

    settings = load_settings(data_dir=data_dir)
    rows = read_rows(data)
    asyncio.run(prepare(settings))
    with Progress(disable=as_json) as progress:
        task = progress.add_task("turns", total=len(rows))

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done)

        def load() -> Desk:
            desk = load_desk(settings)
            if on is not None:
                desk.retriever.today = on.date
            return desk

        found, judged = run(rows, load, show)
    if out is not None:
        write_replies(out, judged)
    if report is not None:
        html_report(report, found, judged)
    _print(found, as_json)


def _print(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for name, value in figures.items():
        typer.echo(f"{name:24} {value}")


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        first, second = [*sys.argv[1:3], "", ""][:2]
        _register(app, COMMANDS, first)
        if first not in COMMANDS:
            _register(evaluate, EVALUATIONS, second)
        app()
    except DeskgateError as error:
        typer.echo(f"error: {error.detail}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        typer.echo(
            f"error: the package {error.name!r} is not installed; training needs the extra: "
            'pip install -c constraints.txt -e ".[finetune]"',
            err=True,
        )
        sys.exit(2)
    except (KnowledgeError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
