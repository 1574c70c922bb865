"""Libraries that talk while they load are told to be quiet; our own output says what happens."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

torch_lock = threading.RLock()
"""Held by whoever imports torch and transformers where other threads may do so: transformers loads
its parts lazily, and a thread that looks on meanwhile does not find them."""


def quiet_libraries() -> None:
    """No progress bars and no advice from transformers; errors still show.

    Does not import transformers, which takes a second: one that is imported later reads the
    variables.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # forks would warn about threads
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # Raised inside transformers when peft merges an adapter; nothing of ours uses the old name.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    if "transformers" in sys.modules:
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def import_openvino() -> Any:
    """The module ``openvino`` without its telemetry, which reports each import over the network.

    Raises ImportError where it is not installed. Import it, and what builds on it, only so.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Inside, modules that were not imported yet seem not to be installed.

    For a library that imports a heavy one on the chance that it may be used. Not while other
    threads import.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
