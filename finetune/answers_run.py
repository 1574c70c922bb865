"""A run's folder: what is being trained there, so that only the same run is gone on with."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from chatbot.errors import Conflict, SetupError

NOTE = "run.json"


def begin(out: Path, about: dict[str, Any], *, resume: bool) -> None:
    """Writes down what is trained. Raises Conflict where ``out`` holds an unfinished run that
    would be lost, or that ``resume`` cannot continue, naming what differs."""
    if os.environ.get("RANK", "0") != "0":
        return  # the first process of several keeps the note
    note = out / NOTE
    if note.exists():
        before = json.loads(note.read_text())
        differing = _differing(before, about)
        if not resume:
            raise Conflict(
                f"{out} holds an unfinished run; go on with --resume, or delete {note} and "
                "begin again"
            )
        if differing:
            raise Conflict(
                f"{out} cannot be resumed: {differing[0]} differs from when it began "
                f"({_value(before, differing[0])!r} then, {_value(about, differing[0])!r} now)"
            )
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(about, indent=1) + "\n")
    except OSError as error:
        raise SetupError(f"{out} cannot be written: {error.strerror or error}") from error


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


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    flat = {**now, **now["recipe"]}
    return [name for name in flat if name != "recipe" and _value(before, name) != _value(now, name)]


def _value(about: dict[str, Any], name: str) -> Any:
    return about["recipe"].get(name) if name in about["recipe"] else about.get(name)
