"""``finetune export``: the served answer model in the formats of other programs."""

from __future__ import annotations

import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from safetensors import SafetensorError

from chatbot.answering.gguf_file import Precision, write_gguf
from chatbot.answering.merging import merged_weights
from chatbot.answering.served import CONFIG, MANIFEST, WEIGHTS, check_adapter, model_version
from chatbot.errors import Conflict, SetupError
from finetune.export_rounding import LOST, rounding, warning


class Format(StrEnum):
    GGUF_F16 = "gguf-f16"
    GGUF_Q8_0 = "gguf-q8_0"
    GGUF_Q4 = "gguf-q4"
    MERGED = "merged"
    ADAPTER = "adapter"


GGUF: dict[Format, Precision] = {
    Format.GGUF_F16: "f16",
    Format.GGUF_Q8_0: "q8_0",
    Format.GGUF_Q4: "q4_1",
}
PAPERS = (MANIFEST, "card.md", "metrics.json")
_NOT_COPIED = {".safetensors", ".bin", ".lock"}


def export_command(
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    format_: Annotated[Format, typer.Option("--format")] = Format.GGUF_Q8_0,
    adapter: Annotated[str, typer.Option(help="As CHATBOT_ANSWER_ADAPTER.")] = "default",
    data_dir: Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")] = None,
) -> None:
    """Write the answer model for llama.cpp and Ollama (gguf-…), transformers and vLLM (merged),
    or peft and vLLM --enable-lora (adapter)."""
    from chatbot.answering.base_model import prepare_base_model
    from chatbot.answering.served import resolve_adapter
    from chatbot.settings import load_settings

    settings = load_settings(data_dir=data_dir, answer_adapter=adapter)
    base, chosen = prepare_base_model(settings), resolve_adapter(settings)
    written = export(base, chosen, format_, out)
    if format_ in GGUF:
        share = rounding(base, chosen, GGUF[format_])
        if share is not None and share >= LOST:
            typer.echo(f"warning: {warning(share)}", err=True)
    typer.echo(f"{model_version(base, chosen)} as {format_.value}: {written}")


def export(base: Path, adapter: Path | None, format_: Format, out: Path) -> Path:
    """The file or folder written. Raises Conflict if ``out`` holds something already, SetupError
    (NotMergeable) if this base or adapter has no such form or the disk is full; nothing torn
    stays behind."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict(f"{out} is not an empty folder; give a new one with --out")
    if format_ is Format.ADAPTER and adapter is None:
        raise SetupError("there is no adapter to export: CHATBOT_ANSWER_ADAPTER is 'none'")
    if adapter is not None:
        check_adapter(adapter, base)
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=out))
    except OSError as error:
        raise _not_written(out, error) from error
    try:
        if format_ is Format.ADAPTER and adapter is not None:
            _copy_adapter(adapter, temporary)
        elif format_ is Format.MERGED:
            _write_merged(base, adapter, temporary)
        else:
            target = temporary / f"{base.name}.{GGUF[format_]}.gguf"
            write_gguf(base, adapter, target, GGUF[format_])
        for path in sorted(temporary.iterdir()):
            path.replace(out / path.name)
    except (OSError, SafetensorError) as error:
        raise _not_written(out, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out / f"{base.name}.{GGUF[format_]}.gguf" if format_ in GGUF else out


def _not_written(out: Path, error: Exception) -> SetupError:
    return SetupError(
        f"{out} cannot be written ({getattr(error, 'strerror', None) or error}); nothing was "
        "exported: make room, or give another --out"
    )


def _copy_adapter(adapter: Path, out: Path) -> None:
    """What peft and vLLM read, and the papers; no curves or checkpoints of its training."""
    for name in (CONFIG, WEIGHTS, *PAPERS):
        if (adapter / name).exists():
            shutil.copy2(adapter / name, out / name)


def _write_merged(base: Path, adapter: Path | None, out: Path) -> None:
    from safetensors.numpy import save_file

    weights = {n: value.astype(np.float16) for n, value in merged_weights(base, adapter)}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    for path in base.iterdir():
        if path.is_file() and path.suffix not in _NOT_COPIED and path.name != MANIFEST:
            shutil.copy2(path, out / path.name)
