"""What the model is for, as shares and areas with the number of rows behind each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chatbot.safety.calibration import Calibration
from chatbot.safety.toxicity import CATEGORIES
from chatbot.types import Side
from finetune.intervals import interval
from finetune.toxicity_data import Row
from finetune.toxicity_figures import BAD, GOOD, Floats

WORST = 3  # rows shown of each kind


@dataclass(frozen=True, slots=True)
class Aim:
    """A share of rows that a side should flag, or should not."""

    name: str
    side: Side
    sources: tuple[str, ...]
    bad: bool
    """Whether these rows ought to be flagged."""
    wanted: str


AIMS = (
    Aim("threats found", Side.CUSTOMER, ("attitude_threat", "desk_threat_to", "tone_threat"),
        True, "≥ 90%"),
    Aim("abuse of the agent found", Side.CUSTOMER,
        ("attitude_agent_abuse", "desk_abuse", "tone_abusive", "contrast_support_agent_abuse"),
        True, "≥ 90%"),
    Aim("attacks on a group found", Side.CUSTOMER, ("desk_identity_attack",), True, "≥ 90%"),
    Aim("sexual harassment found", Side.CUSTOMER, ("desk_sexual",), True, "≥ 90%"),
    Aim("ordinary messages flagged", Side.CUSTOMER, ("support_", "legit", "desk_ordinary"),
        False, "≤ 0.1%"),
    Aim("profane but lawful complaints flagged", Side.CUSTOMER,
        ("attitude_profane", "desk_profane"), False, "0"),
    Aim("furious, no swear word, flagged", Side.CUSTOMER,
        ("attitude_angry", "desk_furious", "tone_angry"), False, "0"),
    Aim("lawsuits and bad reviews announced, flagged", Side.CUSTOMER,
        ("attitude_lawful", "desk_threat_legal"), False, "0"),
    Aim("abuse reported, denied or joked about, flagged", Side.CUSTOMER,
        ("desk_reported", "desk_negation", "desk_self", "desk_friendly"), False, "0"),
    Aim("groups mentioned in passing, flagged", Side.CUSTOMER, ("desk_identity_mention",),
        False, "0"),
    Aim("hostile statements about a group, held", Side.BOT,
        ("group_", "contrast_identity_neutral"), True, "≥ 80%"),
    Aim("harmless statements about a group, flagged", Side.BOT,
        ("group_", "contrast_identity_neutral", "contrast_counter"), False, "≤ 38%"),
    Aim("sentences of articles flagged", Side.BOT, ("article",), False, "≤ 0.3%"),
    Aim("fair answers flagged", Side.BOT,
        ("bot_helpful", "bot_refusal", "bot_care", "bot_identity_ok", "bot_apology",
         "bot_article"), False, "≤ 0.3%"),
    Aim("answers that insult or threaten, held", Side.BOT,
        ("bot_insult", "bot_threat", "bot_identity", "bot_sexual", "bot_blame"), True, "≥ 90%"),
    Aim("answers that belittle, held", Side.BOT, ("bot_condescension", "bot_veiled"),
        True, "≥ 90%"),
)  # fmt: skip


def flags(scores: Floats, calibration: Calibration, side: Side) -> NDArray[np.bool_]:
    """Which rows (of scores (rows, 6)) a side flags."""
    limits = np.array([calibration.threshold(side, name) or np.inf for name in CATEGORIES])
    return np.asarray((scores >= limits).any(1))


def concerned(rows: Sequence[Row], aim: Aim) -> list[int]:
    """Places of the rows that an aim is about."""
    return [
        place
        for place, row in enumerate(rows)
        if row.source.startswith(aim.sources)
        and (row.targets[0] >= BAD if aim.bad else row.targets[0] <= GOOD)
    ]


def measure(rows: Sequence[Row], scores: Floats, calibration: Calibration) -> list[dict[str, Any]]:
    """One entry per aim: share with its 95% bootstrap interval, and rows that went wrong.

    Rows are shown from the project's own sets alone, the furthest from right first.
    """
    found = []
    for aim in AIMS:
        mine = concerned(rows, aim)
        flagged = flags(scores, calibration, aim.side)
        share = interval([float(flagged[i]) for i in mine])
        if share is None:
            continue
        limits = [calibration.threshold(aim.side, name) or np.inf for name in CATEGORIES]
        wrong = [i for i in mine if bool(flagged[i]) is not aim.bad]
        wrong.sort(key=lambda i: float((scores[i] / limits).max()), reverse=not aim.bad)
        shown = [i for i in wrong if not rows[i].source.startswith("support_")][:WORST]
        found.append(
            {
                "aim": aim.name,
                "side": aim.side.value,
                "wanted": aim.wanted,
                **share.as_json(),
                "wrong": [rows[i].text for i in shown],
            }
        )
    return found


def balanced(rows: Sequence[Row], scores: Floats, calibration: Calibration) -> Mapping[str, float]:
    """Set -> balanced accuracy of the bot side's verdict, where both classes have 20 rows."""
    flagged = flags(scores, calibration, Side.BOT)
    toxic = np.array([row.targets[0] for row in rows])
    names = np.array([row.source.split("_")[0] for row in rows])
    figures: dict[str, float] = {}
    for name in sorted(set(names.tolist())):
        bad, good = (names == name) & (toxic >= BAD), (names == name) & (toxic <= GOOD)
        if min(bad.sum(), good.sum()) >= 20:
            figures[name] = round(float((flagged[bad].mean() + (~flagged[good]).mean()) / 2), 4)
    return figures
