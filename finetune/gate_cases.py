"""Texts that the gate must hold or let pass, for ``finetune evaluate gate``.

The built-in ones are rows that no weight was trained on: the contrast set's dev file, the test
rows of the screen, honest questions, and sentences of the sample articles. Or a file of one's own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chatbot.answering.sentences import split_sentences
from chatbot.errors import BadInput
from chatbot.safety.policy_rules import read_rules
from chatbot.types import ReasonCode, Side
from finetune.screen_data import ARTICLE, DATA, read_rows
from finetune.screen_report import HARD, ORDINARY
from knowledge_base.settings import SAMPLE_COMPANY

WANTED: Final[dict[str, frozenset[ReasonCode]]] = {
    "toxicity": frozenset({ReasonCode.TOXIC, ReasonCode.THREAT}),
    "threat": frozenset({ReasonCode.THREAT, ReasonCode.TOXIC}),
    "injection": frozenset({ReasonCode.INJECTION}),
    "crisis": frozenset({ReasonCode.CRISIS, ReasonCode.CONCERN}),
    "promise": frozenset({ReasonCode.FORBIDDEN_PROMISE}),
}
"""Which reasons count as having found a category. Another category only needs any reason."""
LONG_ENOUGH: Final = 12  # characters of an article's sentence


@dataclass(frozen=True, slots=True)
class Case:
    """``hold``: whether the gate must object. ``category`` names what to, or where it is from."""

    text: str
    side: Side
    hold: bool
    category: str


def built_in(limit: int | None = None, seed: int = 0) -> list[Case]:
    """At most ``limit`` of each category and side, the same ones on every run."""
    groups: dict[tuple[Side, bool, str], list[Case]] = {}
    for case in _all():
        groups.setdefault((case.side, case.hold, case.category), []).append(case)
    dice = random.Random(seed)
    cases = []
    for group in groups.values():
        dice.shuffle(group)
        cases += group[:limit]
    return cases


def read_cases(path: Path) -> list[Case]:
    """JSONL {"text", "side": "customer"|"bot", "hold": bool, "category"?}. Raises BadInput."""
    cases = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row: dict[str, Any] = json.loads(line)
            category = row.get("category", "held" if row["hold"] else "allowed")
            cases.append(Case(str(row["text"]), Side(row["side"]), bool(row["hold"]), category))
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"{path}, line {number}: {error!r}; a row is "
                '{"text": …, "side": "customer" or "bot", "hold": true or false}'
            ) from None
    return cases


def _all() -> Iterator[Case]:
    for line in (DATA / "safety" / "contrast_dev.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["labels"]["threat"]:
            yield Case(row["text"], Side.CUSTOMER, True, "threat")
        if row["labels"]["toxic"]:
            yield Case(row["text"], Side.BOT, True, "toxicity")
        elif row["group"] == "bot_side_ok":
            yield Case(row["text"], Side.BOT, False, "bot_side_ok")
    articles: list[str] = []
    for row_ in (row for row in read_rows(DATA) if row.split == "test"):
        if row_.injection:
            yield Case(row_.text, Side.CUSTOMER, True, "injection")
        elif row_.crisis:
            yield Case(row_.text, Side.CUSTOMER, True, "crisis")
        elif row_.source == ARTICLE:
            articles.append(row_.text)
        elif row_.source in ORDINARY | HARD:
            yield Case(row_.text, Side.CUSTOMER, False, row_.source)
    yield from _promises()
    for sentence in dict.fromkeys(s for piece in articles for s in split_sentences(piece)):
        if len(sentence) >= LONG_ENOUGH:
            yield Case(sentence, Side.BOT, False, ARTICLE)


def _promises() -> Iterator[Case]:
    for rule in read_rules(SAMPLE_COMPANY / "policy.toml").forbidden:
        for sentence in rule.holds:
            yield Case(sentence, Side.BOT, True, "promise")
        for sentence in rule.passes:
            yield Case(sentence, Side.BOT, False, "policy_passes")


def found(case: Case, codes: Sequence[ReasonCode]) -> bool:
    """Whether the gate objected, and to what it should."""
    return bool(WANTED.get(case.category, frozenset(ReasonCode)) & set(codes))
