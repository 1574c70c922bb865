"""The project's own toxicity checkpoint, assembled once per test process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from chatbot.safety.calibration import Calibration
from chatbot.safety.checkpoint import prepare_toxicity
from chatbot.safety.moderation import Moderator
from chatbot.safety.toxicity import DetoxifyScorer
from chatbot.settings import load_settings


@cache
def data_dir() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="toxicity-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def checkpoint() -> Path:
    return prepare_toxicity(load_settings({}, data_dir=data_dir()))


@cache
def scorer() -> DetoxifyScorer:
    return DetoxifyScorer(checkpoint())


@cache
def moderator() -> Moderator:
    return Moderator(scorer(), Calibration.load())
