"""Command line: ``python -m knowledge_base sync | calibrate | search | snapshots | rollback``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from knowledge_base.article import AUDIENCES, PUBLIC
from knowledge_base.encoder import EncoderFiles, EncoderNotFound, TransformerEncoder
from knowledge_base.errors import KnowledgeError
from knowledge_base.settings import KnowledgeSettings
from knowledge_base.store import SnapshotStore

T = TypeVar("T")
app = typer.Typer(
    help="Sync articles into searchable snapshots.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where everything lies (default: CHATBOT_DATA_DIR or data)."),
]


@app.command()
def sync(
    path: Annotated[Path, typer.Argument(help="A folder or a file of articles.")],
    source: Annotated[
        str | None, typer.Option(help="Whose articles these are (default: the path's name).")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop this source's articles that are not in PATH.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Build the next snapshot; print what was added, changed, removed, and what failed."""

    def run(progress: Callable[[str, int, int], None]) -> None:
        from knowledge_base.sync import sync_path

        settings = _settings(data_dir)
        report = sync_path(
            SnapshotStore(settings.knowledge_dir),
            _encoder(settings),
            path,
            source=source,
            prune=prune,
            progress=progress,
        )
        for item in report.notes:
            errors.print(f"note: {item}")
        for item in report.failed:
            errors.print(f"failed: {item}")
        for word in ("added", "changed", "removed"):
            for identity in getattr(report, word):
                print(f"{word}: {identity}")
        print(
            f"{len(report.added)} added, {len(report.changed)} changed, "
            f"{len(report.removed)} removed, {report.unchanged} unchanged, "
            f"{len(report.failed)} failed"
        )
        print(
            f"snapshot {report.snapshot}: {report.chunks} chunks, {report.embedded} embedded, "
            f"{'calibrated, ' if report.calibrated else ''}{report.seconds:.1f} s"
            if report.new_snapshot
            else f"nothing changed; snapshot {report.snapshot} keeps serving"
        )

    with _progress() as progress:
        _guarded(lambda: run(progress))


@app.command()
def calibrate(data_dir: DataDir = None) -> None:
    """Find fusion weight and relevance floor for these articles, without labels."""

    def run(progress: Callable[[str, int, int], None]) -> None:
        from knowledge_base.sync import recalibrate

        settings = _settings(data_dir)
        calibration = recalibrate(
            SnapshotStore(settings.knowledge_dir), _encoder(settings), progress
        )
        print(json.dumps(calibration.to_json(), indent=2))

    with _progress() as progress:
        _guarded(lambda: run(progress))


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A question.")],
    *,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="At most so many passages.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    no_floor: Annotated[bool, typer.Option("--no-floor", help="Weak passages too.")] = False,
    internal: Annotated[bool, typer.Option("--internal", help="Internal articles too.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print the passages that answer TEXT best."""

    def run() -> None:
        from knowledge_base.opening import open_retriever

        settings = _settings(data_dir)
        retriever = open_retriever(settings, _encoder(settings))
        audiences = AUDIENCES if internal else (PUBLIC,)
        passages = retriever.search(text, k, audiences=audiences, floor=not no_floor)
        if as_json:
            names = ("article", "chunk", "title", "score", "text")
            rows = [{name: getattr(passage, name) for name in names} for passage in passages]
            print(json.dumps(rows, ensure_ascii=False, indent=2))
            return
        if not passages:
            print("nothing passes the relevance floor (--no-floor shows the nearest)")
        for number, passage in enumerate(passages, start=1):
            path = " > ".join(filter(None, (passage.title, passage.heading)))
            print(f"[{number}] {passage.score:.2f}  {passage.chunk}  {path}\n{passage.text}\n")

    _guarded(run)


@app.command()
def snapshots(data_dir: DataDir = None) -> None:
    """List snapshots, oldest first; the serving one is marked with a star."""

    def run() -> None:
        store = SnapshotStore(_settings(data_dir).knowledge_dir)
        serving = store.current_name()
        for name in store.names():
            manifest = store.manifest(name)
            print(
                f"{'*' if name == serving else ' '} {name}  {manifest['articles']} articles, "
                f"{manifest['chunks']} chunks, {manifest['index']}, {manifest['encoder']}"
            )

    _guarded(run)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="As `snapshots` prints it.")],
    data_dir: DataDir = None,
) -> None:
    """Serve an earlier snapshot again."""

    def run() -> None:
        snapshot = SnapshotStore(_settings(data_dir).knowledge_dir).rollback(name)
        print(f"serving {snapshot.name} with {len(snapshot.articles)} articles")

    _guarded(run)


def _settings(data_dir: Path | None) -> KnowledgeSettings:
    try:
        settings = KnowledgeSettings()
        return settings.model_copy(update={"data_dir": data_dir}) if data_dir else settings
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]}: {first['msg']}") from None


def _encoder(settings: KnowledgeSettings) -> TransformerEncoder:
    transformers_logging: Any = import_module("transformers.utils.logging")
    transformers_logging.disable_progress_bar()  # our own bar shows what takes long
    return TransformerEncoder(EncoderFiles(settings.encoder, settings.compiled_dir))


def _guarded(run: Callable[[], T]) -> T:
    """One line on the terminal instead of a traceback, for what a person can put right."""
    try:
        return run()
    except (KnowledgeError, EncoderNotFound, ValueError, OSError) as error:
        errors.print(f"error: {error}")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        errors.print("interrupted; the former snapshot keeps serving, run again to go on")
        raise typer.Exit(130) from None


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total)
        bar.update(tasks[stage], completed=done, total=total)

    with bar:
        yield report


if __name__ == "__main__":
    app()
