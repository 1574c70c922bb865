"""Converted networks in the data directory: whole and unaltered, or not there.

A folder a network, named by what went in; its manifest holds the SHA-256 of each file.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from knowledge_base.files import flush_tree, sha256

log = logging.getLogger(__name__)

MODEL = "model.xml"
MANIFEST = "manifest.json"
EXTRAS = "extras"


def find(folder: Path, model: str = MODEL) -> bool:
    """Whether ``folder`` can be used. A damaged one is reported and removed."""
    if not folder.exists():
        return False
    damage = _damage(folder, model)
    if damage is not None:
        log.warning("a compiled network is made again: %s", damage)
        shutil.rmtree(folder, ignore_errors=True)
    return damage is None


def texts_of(folder: Path) -> dict[str, str]:
    """The extras that ``publish`` was given, by file name."""
    texts = (folder / EXTRAS).iterdir() if (folder / EXTRAS).exists() else ()
    return {path.name: path.read_text("utf-8") for path in texts}


def publish(
    folder: Path,
    write: Callable[[Path], None],
    extras: Mapping[str, str] = MappingProxyType({}),
    model: str = MODEL,
) -> None:
    """Has ``write`` make the file ``model``, then moves it into place, with its hashes.

    Other networks of the same name (older weights, another OpenVINO) are removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".compile-") as temporary:
        fresh = Path(temporary) / folder.name
        fresh.mkdir()
        write(fresh / model)
        for name, text in extras.items():
            (fresh / EXTRAS).mkdir(exist_ok=True)
            (fresh / EXTRAS / name).write_text(text, "utf-8")
        files = sorted(path for path in fresh.rglob("*") if path.is_file())
        hashes = {path.relative_to(fresh).as_posix(): sha256(path) for path in files}
        (fresh / MANIFEST).write_text(json.dumps(hashes, indent=2) + "\n", "utf-8")
        flush_tree(fresh)
        try:
            fresh.replace(folder)
        except OSError:  # another process was first; its files have the same inputs
            if _damage(folder, model) is not None:
                raise
    name = folder.name.rsplit("-", 1)[0]
    for old in folder.parent.glob(f"{name}-*"):
        if old != folder and old.name.rsplit("-", 1)[0] == name:
            shutil.rmtree(old, ignore_errors=True)


def _damage(folder: Path, model: str) -> str | None:
    try:
        hashes = json.loads((folder / MANIFEST).read_text("utf-8"))
        for name, expected in hashes.items():
            if sha256(folder / name) != expected:
                return f"{folder / name} is not as it was written"
        return None if model in hashes else f"{folder} holds no {model}"
    except (OSError, ValueError, AttributeError) as error:
        return f"{folder / MANIFEST} does not describe its folder ({error})"
