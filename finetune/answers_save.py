"""What training leaves behind: an adapter in half precision, or a whole model, with its papers."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from chatbot.answering.served import CONFIG, MANIFEST, WEIGHTS
from chatbot.errors import SetupError
from finetune.adalora import as_lora
from finetune.answers_card import card_text

FULL_MANIFEST = "training.json"
"""A whole model's manifest: manifest.json there would be taken for that of a converted base."""


def save_result(
    model: Any,
    out: Path,
    about: dict[str, Any],
    metrics: dict[str, Any],
    tokenizer: Any,
    *,
    full: bool,
) -> None:
    """Everything or nothing: written beside ``out``'s content first. Raises SetupError for
    weights that are not finite or a disk that is full."""
    out.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=out))
    try:
        if full:
            _save_model(model, temporary, tokenizer)
        else:
            _save_adapter(model, temporary)
        manifest = FULL_MANIFEST if full else MANIFEST
        (temporary / manifest).write_text(json.dumps(about, indent=1) + "\n")
        (temporary / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
        (temporary / "card.md").write_text(card_text(about, metrics), encoding="utf-8")
        for path in sorted(temporary.iterdir()):
            path.replace(out / path.name)
    except OSError as error:
        raise SetupError(
            f"the result cannot be written to {out} ({error.strerror or error}); make room and "
            "go on with --resume: the last checkpoint is kept"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _save_adapter(model: Any, folder: Path) -> None:
    """In peft's own form, without any path of this machine."""
    from peft import LoraConfig, get_peft_model_state_dict
    from safetensors.torch import save_file

    config = model.peft_config["default"].to_dict()
    if config["peft_type"] == "ADALORA":
        state, changed = as_lora(model)
        plain: Any = LoraConfig()
        known = plain.to_dict().keys()
        config = {name: value for name, value in {**config, **changed}.items() if name in known}
    else:
        state = get_peft_model_state_dict(model, save_embedding_layers=False)
    config["base_model_name_or_path"] = None
    config["inference_mode"] = True
    if config.get("target_modules") is not None:
        config["target_modules"] = sorted(config["target_modules"])
    (folder / CONFIG).write_text(json.dumps(config, indent=1, default=_plain) + "\n")
    save_file(_halved(state), folder / WEIGHTS, metadata={"format": "pt"})


def _save_model(model: Any, folder: Path, tokenizer: Any) -> None:
    _halved(model.state_dict())
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _halved(state: dict[str, Any]) -> dict[str, Any]:
    import torch

    half = {
        name: tensor.detach().cpu().to(torch.float16).contiguous() for name, tensor in state.items()
    }
    broken = [name for name, tensor in half.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise SetupError(f"{broken[0]} is not finite in half precision; nothing was saved")
    return half


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else str(getattr(value, "value", value))
