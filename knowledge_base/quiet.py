"""Libraries that talk while they load are told to be quiet; our own output says what happens."""

from __future__ import annotations

import os


def quiet_libraries() -> None:
    """No progress bars and no advice from transformers; errors still show.

    Costs the import of transformers: call it where a model is about to be loaded.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # forks would warn about threads
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
