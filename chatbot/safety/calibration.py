"""Thresholds per side and category, from the one file that ``finetune toxicity`` writes.

A customer's words are judged leniently (a flag hands a person over to a colleague, and most
anger is legitimate); the bot's words strictly (a false hold costs a minute of a reviewer, a
false release an insulted customer). Costs and what each threshold trades are in the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from chatbot.safety.checkpoint import WEIGHTS
from chatbot.types import Side

CALIBRATION = WEIGHTS / "calibration.json"
FORMAT = "deskgate-toxicity-calibration-1"
REMEDY = "write it again with: python -m finetune toxicity, or reinstall the package"


@dataclass(frozen=True, slots=True)
class Calibration:
    """``thresholds[side][category]`` in 0..1; a category that is not named never flags."""

    thresholds: Mapping[Side, Mapping[str, float]]
    model: str = "default"
    trade_off: Mapping[str, Any] = field(default_factory=dict)
    """What each threshold buys and costs on the dev split, for the model card and reviewers."""
    replaced: Mapping[Side, frozenset[str]] = field(default_factory=dict)
    """Categories whose text gives way to another, by policy, instead of waiting for a person."""

    def threshold(self, side: Side, category: str) -> float | None:
        return self.thresholds[side].get(category)

    @classmethod
    def load(cls, path: Path = CALIBRATION) -> Calibration:
        """Raises SetupError, naming the file and what is wrong in it."""
        try:
            document = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SetupError(f"the calibration {path} cannot be read ({error}); {REMEDY}") from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise SetupError(f"{path} is no calibration of format {FORMAT}; {REMEDY}")
        thresholds: dict[Side, dict[str, float]] = {}
        for side in Side:
            found = document.get("thresholds", {}).get(side.value)
            if not isinstance(found, dict) or not found:
                raise SetupError(f"{path} has no thresholds for the side {side.value}; {REMEDY}")
            for category, value in found.items():
                if (
                    isinstance(value, bool)
                    or not isinstance(value, int | float)
                    or not 0.0 < value <= 1.0
                ):
                    raise SetupError(
                        f"{path}: the {side.value} threshold of {category} is {value!r}; a number "
                        f"above 0 and up to 1 is needed; {REMEDY}"
                    )
            thresholds[side] = {name: float(value) for name, value in found.items()}
        return cls(thresholds, str(document.get("model", "")), document.get("trade_off", {}))

    def document(self) -> dict[str, Any]:
        """What ``load`` reads, as JSON values."""
        return {
            "format": FORMAT,
            "model": self.model,
            "thresholds": {side.value: dict(self.thresholds[side]) for side in Side},
            "trade_off": dict(self.trade_off),
        }
