"""``finetune export``: the served answer model in the formats of other programs."""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from chatbot.answering.gguf_file import Precision, write_gguf
from chatbot.answering.merging import merged_weights
from chatbot.answering.served import model_version
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
    (NotMergeable) if this base or adapter has no such form."""
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"{out} is not empty; give a new folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    if format_ is Format.ADAPTER:
        if adapter is None:
            raise SetupError("there is no adapter to export: CHATBOT_ANSWER_ADAPTER is 'none'")
        return shutil.copytree(adapter, out, dirs_exist_ok=True)
    if format_ is Format.MERGED:
        return _write_merged(base, adapter, out)
    target = out / f"{base.name}.{GGUF[format_]}.gguf"
    write_gguf(base, adapter, target, GGUF[format_])
    return target


def _write_merged(base: Path, adapter: Path | None, out: Path) -> Path:
    from safetensors.numpy import save_file

    weights = {n: value.astype(np.float16) for n, value in merged_weights(base, adapter)}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    for path in base.iterdir():
        if path.is_file() and path.suffix not in _NOT_COPIED and path.name != "manifest.json":
            shutil.copy2(path, out / path.name)
    return out
