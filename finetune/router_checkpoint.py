"""The state of an unfinished training, so that an interrupted one can go on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from finetune.router_config import RouterConfig
from finetune.router_data import RouterRow

FREE = {"resume", "out", "train", "eval", "command", "time_budget_minutes"}
"""Values of the recipe that a resumed training may change: the rows count, not their file."""


class Checkpoint:
    """One file, which belongs to exactly one recipe and its rows."""

    def __init__(self, path: Path, config: RouterConfig, rows: Sequence[RouterRow]) -> None:
        self.path = path
        recipe = config.model_dump_json(exclude=FREE)
        told = "\n".join(f"{r.text}\t{r.intents}\t{r.entities}" for r in rows)
        self.key = hashlib.sha256(f"{recipe}\n{told}".encode()).hexdigest()

    def read(self) -> dict[str, Any] | None:
        """None where there is none; raises KeyError for one of another recipe or other rows."""
        if not self.path.exists():
            return None
        state: dict[str, Any] = torch.load(self.path, weights_only=True)
        if state["key"] != self.key:
            raise KeyError(self.key)
        return state

    def write(self, state: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        torch.save({"key": self.key, **state}, fresh)
        fresh.rename(self.path)
