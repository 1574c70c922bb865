"""Merged models on disk: base and adapter as one GGUF file, made once, checked on every start.
``openvino_network`` keeps beside them what the decoding process loads.

    data_dir/models/merged/
        BASE-ADAPTER-fN.f16.gguf      named after the digests of what it was made of
        BASE-ADAPTER-fN.f16.json      its SHA-256

A file is derived, so a damaged one is made anew. Older ones are deleted but for the last few, which
a rollback wants back at once.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from chatbot.answering.base_model import base_digest, sha256_of
from chatbot.answering.gguf_file import Precision, write_gguf
from chatbot.answering.served import check_adapter
from chatbot.errors import SetupError
from knowledge_base.compiled_cache import MANIFEST

logger = logging.getLogger(__name__)

FORMAT = 1
"""Raised when the writer changes, so that older files are made again."""

KEPT = 3


def prepare_merged(
    base: Path, adapter: Path | None, data_dir: Path, precision: Precision = "f16"
) -> Path:
    """The GGUF file of ``base`` with ``adapter`` merged in. Seconds the first time, then only
    its hash is checked. Safe to call from several processes at once.

    Raises NotMergeable if this pair cannot be written as GGUF, SetupError if the adapter does
    not fit or the disk is full.
    """
    digest = check_adapter(adapter, base).digest if adapter is not None else "none"
    with merged_root(data_dir) as root:
        target = root / f"{base_digest(base)}-{digest}-f{FORMAT}.{precision}.gguf"
        if not _is_whole(target):
            write_gguf(base, adapter, target, precision)
            about = {"base": base.name, "adapter": digest, "sha256": sha256_of(target)}
            _note(target).write_text(json.dumps(about, indent=1) + "\n")
        target.touch()
        forget_old(root)
    return target


@contextmanager
def merged_root(data_dir: Path) -> Iterator[Path]:
    """The folder of merged models, for one process at a time. Raises SetupError for an OSError
    inside: the disk is full, or the folder cannot be written."""
    root = data_dir / "models" / "merged"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".lock"):
            yield root
    except OSError as error:
        raise SetupError(
            f"cannot write the merged answer model below {root}: {error.strerror or error}; it "
            "needs twice the size of the base; choose another place with CHATBOT_DATA_DIR"
        ) from error


def _is_whole(target: Path) -> bool:
    if not target.exists() or not _note(target).exists():
        return False
    try:
        if sha256_of(target) == json.loads(_note(target).read_text())["sha256"]:
            return True
    except (ValueError, KeyError):
        pass
    logger.warning("%s is damaged and is made anew", target)
    return False


def _note(target: Path) -> Path:
    return target.with_suffix(".json")


def forget_old(root: Path) -> None:
    """Deletes all models but those used last: GGUF files and networks (folders)."""
    models = [*root.glob("*.gguf"), *(note.parent for note in root.glob(f"*/{MANIFEST}"))]
    for path in sorted(models, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()  # a process that has it open keeps its content
            _note(path).unlink(missing_ok=True)
