"""Libraries that talk while they load are told to be quiet; our own output says what happens."""

from __future__ import annotations

import logging
import os
import warnings


def quiet_libraries() -> None:
    """No progress bars and no advice from transformers; errors still show.

    Costs the import of transformers: call it where a model is about to be loaded.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # forks would warn about threads
    # Raised inside transformers when peft merges an adapter; nothing of ours uses the old name.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
