"""Command line: ``python -m knowledge_base sync | calibrate | search | curated | …``."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console

from knowledge_base.article import AUDIENCES, PUBLIC
from knowledge_base.encoder import EncoderFiles, EncoderNotFound, TransformerEncoder
from knowledge_base.errors import KnowledgeError, SnapshotDamaged
from knowledge_base.progress import progress_bar
from knowledge_base.settings import KnowledgeSettings
from knowledge_base.store import SnapshotStore, open_store

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
    path: Annotated[str, typer.Argument(help="A folder, a file, or an http(s) address.")],
    *,
    source: Annotated[
        str | None, typer.Option(help="Whose articles these are (default: the path's name).")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Drop this source's articles that are not in PATH.")
    ] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Addresses may lead into a private network.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Build the next snapshot; print what was added, changed, removed, and what failed."""

    def run(progress: Callable[[str, int, int], None]) -> None:
        from knowledge_base.reporting import sync_json, sync_lines
        from knowledge_base.sync import sync_path

        settings = _settings(data_dir)
        store = open_store(settings)
        report = sync_path(
            store,
            _encoder(settings),
            path,
            source=source,
            prune=prune,
            allow_private=allow_private,
            progress=progress,
        )
        for item in report.notes:
            errors.print(f"note: {item}")
        for item in report.failed:
            errors.print(f"failed: {item}")
        if as_json:
            print(json.dumps(sync_json(report), ensure_ascii=False, indent=2))
            return
        for line in sync_lines(report, store.current().articles):
            print(line)

    with progress_bar() as progress:
        _guarded(lambda: run(progress))


@app.command()
def calibrate(data_dir: DataDir = None) -> None:
    """Find fusion weight, relevance floor and the curated answers' threshold, without labels."""

    def run(progress: Callable[[str, int, int], None]) -> None:
        from knowledge_base.sync import recalibrate

        settings = _settings(data_dir)
        store = open_store(settings)
        values = recalibrate(store, _encoder(settings), progress).to_json()
        curated = store.current().curated
        if curated.answers:
            values["curated"] = curated.calibration.to_json()
        print(json.dumps(values, indent=2))

    with progress_bar() as progress:
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
def curated(
    text: Annotated[str, typer.Argument(help="A question.")],
    *,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="At most so many answers.")] = 3,
    internal: Annotated[bool, typer.Option("--internal", help="Internal answers too.")] = False,
    locale: Annotated[str | None, typer.Option(help="The customer's, such as de-CH.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Print the nearest curated answers with their scores, and which one TEXT would get."""

    def run() -> None:
        from knowledge_base.curated_match import match_curated, nearest_curated

        settings = _settings(data_dir)
        snapshot = open_store(settings).current()
        vector = _encoder(settings).embed([text])[0]
        audiences = AUDIENCES if internal else (PUBLIC,)
        found = nearest_curated(snapshot, text, vector, k, audiences=audiences, locale=locale)
        match = match_curated(snapshot, text, vector, audiences=audiences, locale=locale)
        least = snapshot.curated.calibration.threshold
        for one in found:
            mark = "*" if match and one.answer.id == match.answer.id else " "
            print(f"{mark} {one.score:.3f}  {one.answer.id}  {one.question}")
        print(
            f"answered with {match.answer.id!r}:\n{match.answer.answer}"
            if match
            else f"no curated answer reaches {least:.3f}; the articles answer"
        )

    _guarded(run)


@app.command()
def snapshots(data_dir: DataDir = None) -> None:
    """List snapshots, oldest first; the serving one is marked with a star."""

    def run() -> None:
        store = SnapshotStore(_settings(data_dir).knowledge_dir)
        serving = store.current_name()
        for name in store.names():
            print(f"{'*' if name == serving else ' '} {name}  {_described(store, name)}")

    _guarded(run)


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="As `snapshots` prints it.")],
    data_dir: DataDir = None,
) -> None:
    """Serve an earlier snapshot again."""

    def run() -> None:
        snapshot = open_store(_settings(data_dir)).rollback(name)
        print(f"serving {snapshot.name} with {len(snapshot.articles)} articles")

    _guarded(run)


def _described(store: SnapshotStore, name: str) -> str:
    try:
        manifest = store.manifest(name)
    except SnapshotDamaged as error:
        return f"damaged: {error}"
    curated = manifest.get("curated", 0)
    made = manifest.get("made_by") or {}  # none before 0.13
    return (
        f"{made['source'] or 'calibration'}: {made['added']} added, {made['changed']} changed, "
        f"{made['removed']} removed; "
        if made
        else ""
    ) + (
        f"{manifest['articles']} articles, {manifest['chunks']} chunks, "
        + (f"{curated} curated answers, " if curated else "")
        + f"{manifest['index']} (recall {manifest['index_recall']:.3f}), {manifest['encoder']}"
    )


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


if __name__ == "__main__":
    app()
