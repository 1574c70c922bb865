"""A run's folder: what is being trained there, so that only the same run is gone on with."""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from chatbot.errors import Conflict, SetupError

NOTE = "run.json"
CHECKPOINTS = "checkpoints"
LOGS = "logs"
WHOLE = "whole"
"""Name of the empty file that is written last into a checkpoint."""
RESULTS = ("adapter_model.safetensors", "model.safetensors", "training.json")


def check_folder(out: Path, about: dict[str, Any], *, resume: bool) -> None:
    """Raises Conflict where ``out`` holds what a new run would lose, or what ``resume`` cannot
    go on with, naming what differs. Called before anything heavy is loaded."""
    if not _first():
        return  # the first process of several keeps the note
    note = out / NOTE
    if not note.exists():
        if _result(out) is not None:
            raise Conflict(
                f"{out} holds the finished result of a run ({_result(out)}); "
                + ("there is nothing to resume" if resume else "give a new folder with --out")
            )
        if resume:
            raise Conflict(f"{out} holds no unfinished run to resume; leave --resume out")
        return
    if not resume:
        if _whole(out):
            raise Conflict(
                f"{out} holds an unfinished run; go on with --resume, or delete {note} and "
                "begin again, which drops its checkpoints"
            )
        return
    before = read_note(note)
    differing = _differing(before, about)
    if differing:
        raise Conflict(
            f"{out} cannot be resumed: {differing[0]} differs from when it began "
            f"({_value(before, differing[0])!r} then, {_value(about, differing[0])!r} now)"
        )


def begin(out: Path, about: dict[str, Any], *, resume: bool) -> None:
    """Writes down what is trained; a run that begins anew drops checkpoints and curves that lie
    in ``out``. Raises SetupError where it cannot be written."""
    if not _first() or resume:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in (CHECKPOINTS, LOGS):
            if (out / name).exists():
                shutil.rmtree(out / name)
        (out / NOTE).write_text(json.dumps(about, indent=1) + "\n")
    except OSError as error:
        raise SetupError(f"{out} cannot be written: {error.strerror or error}") from error


def read_note(note: Path) -> dict[str, Any]:
    """Raises SetupError for a note that was cut off."""
    try:
        found: dict[str, Any] = json.loads(note.read_text())
    except ValueError as error:
        raise SetupError(f"{note} cannot be read ({error}); delete it and begin again") from None
    return found


def check_launcher() -> None:
    """Raises SetupError where several processes were asked for and one was started:
    ``accelerate launch --cpu --num_processes N`` needs MPI, and says nothing without it."""
    several = "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ
    if several and os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":
        raise SetupError(
            "accelerate started one process: on CPUs it starts several through MPI only. Use "
            "'torchrun --nproc-per-node N -m finetune answers … --cpu', or one process, which "
            "uses all cores"
        )


def finish(out: Path) -> None:
    (out / NOTE).unlink(missing_ok=True)


def reporters(logs: Path) -> list[str]:
    """TensorBoard always; Weights & Biases and MLflow where they are installed. Without an
    account or a server they write below ``logs``."""
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(logs)
    found = ["tensorboard"]
    if find_spec("wandb") is not None:
        found.append("wandb")
        os.environ.setdefault("WANDB_DIR", str(logs))
        if not os.environ.get("WANDB_API_KEY"):
            os.environ.setdefault("WANDB_MODE", "offline")
    if find_spec("mlflow") is not None:
        found.append("mlflow")
        os.environ.setdefault("MLFLOW_TRACKING_URI", (logs / "mlruns").resolve().as_uri())
    return found


def _first() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _whole(out: Path) -> bool:
    return any((out / CHECKPOINTS).glob(f"checkpoint-*/{WHOLE}"))


def _result(out: Path) -> str | None:
    return next((name for name in RESULTS if (out / name).exists()), None)


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    flat = {**now, **now["recipe"]}
    return [name for name in flat if name != "recipe" and _value(before, name) != _value(now, name)]


def _value(about: dict[str, Any], name: str) -> Any:
    return about["recipe"].get(name) if name in about["recipe"] else about.get(name)
