"""``finetune evaluate candidate | promote | rollback | list``: options in, one report out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from chatbot.settings import load_settings

if TYPE_CHECKING:
    from finetune.candidate import Judgement

DataDir = Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")]
Data = Annotated[
    list[Path] | None,
    typer.Option(help="Rows of 'finetune prepare' to ask, instead of the company's dev questions."),
]
Full = Annotated[
    bool, typer.Option("--full", help="All questions, 500 baits, 300 injections (else a fifth).")
]
Report = Annotated[Path | None, typer.Option(help="HTML page to write.")]


def evaluate_candidate_command(
    adapter: Annotated[str, typer.Argument(help="A folder, or a registered version.")],
    data: Data = None,
    full: Full = False,
    split: Annotated[
        Literal["dev", "test"],
        typer.Option(help="Of the company's questions; test: once, for the record."),
    ] = "dev",
    report: Report = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Truth, safety and speed of an adapter beside what serves and the bare base."""
    from chatbot.answering.served import AnswerRegistry
    from finetune.candidate_report import figures_table

    settings = load_settings(data_dir=data_dir)
    folder = Path(adapter)
    path = folder if folder.is_dir() else AnswerRegistry.of(settings).path(adapter)
    judgement = judge_with_progress(data_dir, path, data, full, report, split)
    if as_json:
        typer.echo(json.dumps(judgement.as_json()))
        return
    for line in figures_table(judgement.compared):
        typer.echo(line)
    typer.echo(f"report: {judgement.report}")


def promote_command(
    adapter: Annotated[str, typer.Argument(help="Folder of 'finetune answers', or a version.")],
    version: Annotated[
        str | None, typer.Option("--as", help="Name of the new version, never reused.")
    ] = None,
    candidate: Annotated[
        bool,
        typer.Option("--candidate", help="Only to draft beside what serves: shadow and A/B."),
    ] = False,
    override: Annotated[
        str | None,
        typer.Option(help="The reason to serve it unevaluated or although it is worse; audited."),
    ] = None,
    data: Data = None,
    full: Full = False,
    report: Report = None,
    data_dir: DataDir = None,
) -> None:
    """Serve an adapter, if no truth or safety figure is worse than now; no restart is needed."""
    from finetune.promotion import promote

    settings = load_settings(data_dir=data_dir)
    done = promote(
        settings,
        adapter,
        version,
        alias="candidate" if candidate else "serving",
        override=override,
        judge=lambda path: judge_with_progress(data_dir, path, data, full, report),
    )
    before = done.before or ("none" if candidate else "the default adapter")
    print(f"{done.alias}: {done.version} (before: {before})")


def rollback_command(
    why: Annotated[str, typer.Option(help="For the audit trail.")] = "", data_dir: DataDir = None
) -> None:
    """Serve again what served before; a running server follows within seconds."""
    from finetune.promotion import roll_back

    now, until_now = roll_back(load_settings(data_dir=data_dir), why)
    names = [name or "the default adapter" for name in (now, until_now)]
    print(f"serving: {names[0]} (before: {names[1]})")


def list_command(data_dir: DataDir = None) -> None:
    """The registered versions, oldest first, with their aliases."""
    from chatbot.answering.served import AnswerRegistry

    registry = AnswerRegistry.of(load_settings(data_dir=data_dir))
    aliases = registry.aliases()
    for version in registry.versions():
        names = ", ".join(sorted(alias for alias, name in aliases.items() if name == version))
        manifest = registry.manifest(version)
        data = str(manifest.get("data_sha256", ""))[:12]
        about = f"  data {data}" if data else ""
        print(f"{version}  rank {manifest['rank']}{about}{f'  ({names})' if names else ''}")
    if not aliases.get("serving"):
        print("the default adapter is serving")


def judge_with_progress(
    data_dir: Path | None,
    adapter: Path,
    data: list[Path] | None,
    full: bool,
    report: Path | None = None,
    split: Literal["dev", "test"] = "dev",
) -> Judgement:
    """``judge_candidate`` with bars on the terminal."""
    from finetune.candidate import judge_candidate
    from finetune.candidate_rows import FULL, QUICK
    from knowledge_base.quiet import quiet_libraries

    quiet_libraries()
    with Progress(console=Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {}

        def show(model: str, done: int, total: int) -> None:
            if model not in tasks:
                tasks[model] = progress.add_task(f"{model} answers", total=total)
            progress.update(tasks[model], completed=done)

        return judge_candidate(
            load_settings(data_dir=data_dir),
            adapter,
            FULL if full else QUICK,
            data=data or (),
            split=split,
            report=report,
            progress=show,
        )
