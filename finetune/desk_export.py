"""``finetune prepare --from-desk``: what people decided at the desk, as training rows."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from chatbot.access.session import open_keys
from chatbot.learning.export import Exported, export
from chatbot.settings import Settings


def prepare_from_desk(settings: Settings, out: Path, preferences: Path | None) -> dict[str, Any]:
    """Writes ``out`` (rows for ``finetune answers``) and ``preferences`` (chosen, rejected);
    the report counts what was left out and why."""
    found = asyncio.run(_export(settings))
    _write(out, found.answers)
    if preferences is not None:
        _write(preferences, found.preferences)
    return {
        "rows": len(found.answers),
        "preferences": len(found.preferences),
        "left_out": dict(found.left_out),
    }


async def _export(settings: Settings) -> Exported:
    async with open_keys(settings) as keys:
        return await export(keys.office)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
