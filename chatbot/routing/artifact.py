"""A router on disk: ``router.json``, adapter, heads, and an index of training examples.

Written into a temporary folder beside the target and renamed, so that a reader finds either
a whole router or none. Tensors are safetensors: nothing here can run code.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot.errors import SetupError
from chatbot.routing.confidence import Confidence
from knowledge_base.files import sha256

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
MANIFEST = "router.json"
ADAPTER = "adapter.safetensors"
HEADS = "heads.safetensors"
INDEX = "index.safetensors"
INDEX_TEXTS = "index.json"


class Bands(BaseModel):
    """Confidence bands that calibration found: at ``act`` and above the router is right in
    19 of 20 dev rows, below ``clarify`` more often wrong than right."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    act: float = Field(ge=0, le=1)
    clarify: float = Field(ge=0, le=1)


class ScopeCalibration(BaseModel):
    """How the parts of the out-of-scope score are joined; see ``scope.py``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    threshold: float


class Manifest(BaseModel):
    """What ``router.json`` holds. Labels are in the order of the heads' outputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    encoder: str
    encoder_digest: str
    intents: tuple[str, ...]
    multi_label: bool
    learned_scope: bool
    """Whether the last output of the intent head stands for out-of-scope rows."""
    entity_labels: tuple[str, ...]
    lora_rank: int
    """0 for a router on the encoder as it is, which has no adapter file."""
    lora_alpha: int
    scale: float
    temperature: float
    shift: float = 0.0
    """Added to multi-label logits after the temperature."""
    neighbour_share: float = Field(default=0.0, ge=0, lt=1)
    """How much of a probability is the vote of the nearest training examples."""
    scope: ScopeCalibration
    bands: Bands
    seed: int
    train_sha256: str
    rows: int

    @property
    def confidence(self) -> Confidence:
        return Confidence(self.multi_label, self.temperature, self.shift, self.neighbour_share)


def read_manifest(directory: Path) -> Manifest:
    """Raises SetupError when there is no router, or one of another format."""
    path = directory / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SetupError(
            f"{path}: no router here; train one with: python -m finetune router --out {directory}"
        ) from None
    except json.JSONDecodeError as error:
        raise SetupError(f"{path}: not JSON ({error}); train the router again") from None
    if raw.get("format") != FORMAT:
        raise SetupError(
            f"{path}: format {raw.get('format')!r}, this version reads {FORMAT}; train it again"
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise SetupError(
            f"{path}: {first['loc']}: {first['msg']}; train the router again"
        ) from None


def read_arrays(directory: Path, name: str) -> dict[str, NDArray[np.float32]]:
    """Arrays in fp32. Raises SetupError when the file is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return {key: v.astype(np.float32) for key, v in load_file(directory / name).items()}
    except (FileNotFoundError, SafetensorError) as error:
        raise SetupError(f"{directory / name}: {error}; train the router again") from None


def digest(directory: Path, name: str) -> str:
    """SHA-256 of a file. Raises SetupError when it is missing."""
    try:
        return sha256(directory / name)
    except OSError as error:
        raise SetupError(f"{directory / name}: {error}; train the router again") from None


def read_examples(directory: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Text and intents of each indexed example, in the order of the index's vectors."""
    path = directory / INDEX_TEXTS
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            (text, (mine,) if isinstance(mine, str) else tuple(mine)) for text, mine in raw
        )
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise SetupError(f"{path}: {error}; train the router again") from None


def write_router(
    directory: Path,
    manifest: Manifest,
    tensors: Mapping[str, Mapping[str, Tensor]],
    examples: Sequence[tuple[str, tuple[str, ...]]],
    documents: Callable[[Path], Mapping[str, str]],
) -> None:
    """Replaces ``directory`` by a new router, all or nothing.

    ``tensors`` is file name -> tensors, stored as fp16. ``documents`` is called with the
    finished folder before it takes its place, and gives file name -> text: figures are then
    of the weights as they were stored.
    """
    import torch
    from safetensors.torch import save_file

    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        fresh.chmod(0o755)
        _write_json(fresh / MANIFEST, manifest.model_dump(mode="json"))
        (fresh / INDEX_TEXTS).write_text(
            json.dumps(list(examples), ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
        )
        for name, content in tensors.items():
            half = {key: value.detach().to(torch.float16) for key, value in content.items()}
            save_file({k: v.contiguous() for k, v in half.items()}, fresh / name)
            (fresh / name).chmod(0o644)  # safetensors writes 0600
        for name, text in documents(fresh).items():
            (fresh / name).write_text(text, encoding="utf-8")
        _swap(fresh, directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, directory: Path) -> None:
    if not directory.exists():
        fresh.rename(directory)
        return
    old = fresh.with_name(fresh.name + "-old")
    directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old)


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
