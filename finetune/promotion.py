"""Which version serves: promoted through the gate, rolled back in seconds, all of it audited.

The order is: everything that can fail, then the immutable version, then the audit row, then the
alias. A promotion that dies on the way serves nothing new, and the same command goes on with it.
"""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatbot.access.session import open_keys
from chatbot.answering.base_model import prepare_base_model, sha256_of
from chatbot.answering.choice import prepare_engine
from chatbot.answering.experiment import Experiments
from chatbot.answering.served import (
    MANIFEST,
    WEIGHTS,
    Alias,
    AnswerRegistry,
    check_adapter,
    check_name,
    moved,
)
from chatbot.errors import BadInput, Conflict, SetupError
from chatbot.settings import Settings
from chatbot.storage.tables import SYSTEM
from finetune.candidate import Judgement
from finetune.candidate_compare import ENOUGH

SUBJECT_CHARS = 40  # of an audit row
FULL_MODEL = "config.json"


@dataclass(frozen=True)
class Promoted:
    version: str
    alias: Alias
    before: str | None


def promote(
    settings: Settings,
    source: str,
    version: str | None,
    *,
    alias: Alias = "serving",
    override: str | None = None,
    judge: Callable[[Path], Judgement],
) -> Promoted:
    """``source`` is a folder of 'finetune answers', to be registered as ``version``, or the name
    of a registered version.

    ``judge`` evaluates it beside what serves. Raises Conflict naming each figure that is worse
    beyond its interval, or where something else began to serve meanwhile; ``override`` is the
    reason to serve it all the same, and is audited. A ``candidate`` is not served yet and passes
    the ``gate`` later: before an A/B test, or when it is promoted.
    """
    registry = AnswerRegistry.of(settings)
    adapter, name = _source(registry, source, version)
    base = prepare_base_model(settings)
    check_adapter(adapter, base)
    before = registry.aliases().get(alias)
    judgement = gate(name, adapter, override, judge) if alias == "serving" else None
    # What a running server would otherwise merge before it can switch.
    prepare_engine(settings.model_copy(update={"answer_adapter": str(adapter)}))
    if not registry.has(name):
        about = _about(adapter)
        if judgement is not None:
            about["evaluation"] = judgement.as_json()
        files = (judgement.report,) if judgement is not None else ()
        registry.register(name, adapter, base, about, files)
    now = registry.aliases().get(alias)
    if now != before:  # it was judged beside something else
        raise Conflict(moved(alias, before, now))
    audited(
        settings,
        f"answers.{'promoted' if alias == 'serving' else 'candidate'}",
        name,
        {
            "version": name,
            "adapter": check_adapter(adapter, base).digest,
            "before": before or "default",
            "override": override,
            "evaluated": None if judgement is None else judgement.candidate.rows_digest,
        },
    )
    registry.point(alias, name, instead_of=before)
    if alias == "serving":
        _end_trial(settings, name)
    return Promoted(name, alias, before)


def gate(
    name: str, adapter: Path, override: str | None, judge: Callable[[Path], Judgement]
) -> Judgement | None:
    """What customers are to read is no worse than what they read now. None where ``override``
    gives the reason not to ask. Raises Conflict naming every figure that is worse or that rests
    on too few rows to tell."""
    if override is not None:
        if not override.strip():
            raise BadInput("--override needs the reason, in words; it goes into the audit trail")
        return None
    judgement = judge(adapter)
    if judgement.worse:
        raise Conflict(_refusal(name, judgement))
    if judgement.unknown:
        figures = ", ".join(f"{one.name} ({one.rows} rows)" for one in judgement.unknown)
        raise Conflict(
            f"{name} is not promoted, nobody can tell whether it is worse: {figures}; "
            f"{ENOUGH} are needed of each. Give more rows with --data (with and without an "
            "answer), leave --data out for the default questions, or give --override with the "
            "reason"
        )
    return judgement


def roll_back(settings: Settings, why: str = "") -> tuple[str | None, str | None]:
    """Serves again what served before: (now, until now), None for the default adapter."""
    registry = AnswerRegistry.of(settings)
    now, until_now = registry.earlier()
    data = {"now": now or "default", "until_now": until_now or "default", "why": why}
    audited(settings, "answers.rolled_back", now or "default", data)
    return registry.roll_back(only=until_now)


def _end_trial(settings: Settings, version: str) -> None:
    """There is nothing left to compare the new model with."""
    experiments = Experiments.of(settings)
    running = experiments.current()
    if running is not None and running.candidate == version:
        experiments.stop("promoted")
        audited(settings, "answers.trial_ended", version, {"candidate": version, "why": "promoted"})


def _source(registry: AnswerRegistry, source: str, version: str | None) -> tuple[Path, str]:
    folder = Path(source)
    if registry.has(source) and not folder.is_dir():
        if version is not None and version != source:
            raise BadInput(f"{source} is registered already; leave --as out to serve it")
        return registry.path(source), source
    if not folder.is_dir():
        known = ", ".join(registry.versions()) or "none"
        raise BadInput(f"{source} is neither a folder nor a registered version ({known})")
    if version is None:
        raise BadInput("--as NAME is needed: the name of the new version, never reused")
    check_name(version)
    if registry.has(version):
        if sha256_of(registry.path(version) / WEIGHTS) == _digest(folder):
            return registry.path(version), version  # of a promotion that was interrupted
        raise Conflict(
            f"answer model {version!r} is registered already and never changes; choose another "
            f"name with --as, or serve that one with 'python -m finetune promote {version}'"
        )
    if (folder / FULL_MODEL).exists():
        raise SetupError(
            f"{folder} holds a whole model, not an adapter: serve it with "
            f"CHATBOT_ANSWER_MODEL={folder} and CHATBOT_ANSWER_ADAPTER=none"
        )
    return folder, version


def _digest(adapter: Path) -> str | None:
    weights = adapter / WEIGHTS
    return sha256_of(weights) if weights.exists() else None


def _about(adapter: Path) -> dict[str, Any]:
    manifest = adapter / MANIFEST
    about: dict[str, Any] = json.loads(manifest.read_text()) if manifest.exists() else {}
    return about


def _refusal(name: str, judgement: Judgement) -> str:
    figures = "; ".join(one.sentence() for one in judgement.worse)
    return (
        f"{name} is not promoted, it is worse than {judgement.serving.model} beyond chance in "
        f"{figures}. Read {judgement.report}; to serve it all the same give --override with the "
        "reason"
    )


def audited(settings: Settings, action: str, subject: str, data: dict[str, Any]) -> None:
    """One row in the audit chain of what belongs to no conversation."""

    async def write() -> None:
        async with open_keys(settings) as keys, keys.office.write() as rows:
            await rows.audit(SYSTEM, f"cli:{_user()}", action, subject[:SUBJECT_CHARS], data)

    asyncio.run(write())


def _user() -> str:
    try:
        return getpass.getuser()[:70]
    except (OSError, KeyError):  # a container's user without a name
        return "unknown"
