"""Rows for the heads of the screen, from this project's own files, with their split.

``injection_dev`` and the router's dev file are test rows; the files of families name their own
split, by family, so that what is tested is a kind of attack that no weight has seen; where a file
has no split, a hash of the text parts it (a fifth dev, a fifth test). Rows of
``screen/more_train`` and of the contrast files only train.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from chatbot.errors import SetupError
from chatbot.safety.passages import pieces
from chatbot.types import Tone
from knowledge_base.readers import read_articles
from knowledge_base.settings import SAMPLE_COMPANY

DATA: Final = Path(__file__).parent / "data"
UNLABELLED: Final = frozenset({"out_of_scope", "product_safety", "legal_threat"})
"""Intents whose rows may hold what the heads look for, and nobody has labelled them for it."""
PLAINLY_CALM: Final = frozenset({"product_info", "product_availability", "store_info", "greeting"})
ARTICLE: Final = "article"
TONE_OF: Final = {
    "furious_legitimate": Tone.ANGRY,
    "abuse_of_agent": Tone.ABUSIVE,
    "identity_attack": Tone.ABUSIVE,
    "sexual_harassment": Tone.ABUSIVE,
    "threat_to_person": Tone.THREATENING,
    "ordinary": Tone.CALM,
    "identity_mention_ordinary": Tone.CALM,
    "friendly_profanity": Tone.CALM,
}
"""Of the kinds of messages that are written for the toxicity model."""
PLAINLY_ASKED: Final = frozenset({"direct", "typo", "multi_hop", "unanswerable", "talk"})
"""Types of sample questions in which nobody is upset."""
_SIGNS: Final = re.compile(r"[.,!?;:]")
ORDINARY_QUESTIONS: Final = frozenset({"answer", "clarify", "abstain"})
"""What is expected of a sample question that nobody needs to look at."""


@dataclass(frozen=True, slots=True)
class Row:
    """A text with the labels it has; a head learns only from rows that are labelled for it."""

    text: str
    split: str
    injection: int | None = None
    crisis: int | None = None
    tone: Tone | None = None
    source: str = ""
    family: str = ""
    """Rows of one family share an idea; a family lies on one side of the split."""


def read_rows(data_dir: Path, articles: Path | None = SAMPLE_COMPANY / "articles") -> list[Row]:
    """All rows with their split. Raises SetupError naming the file that is missing or broken.

    Pieces of ``articles`` are what a passage looks like that gives no orders to a model.
    """
    safety, screen = data_dir / "safety", data_dir / "screen"
    rows = [
        *_injection_rows(safety),
        *_more_injection_rows(screen),
        *_family_rows(screen),
        *_tone_rows(safety),
        *_desk_rows(safety),
        *_more_rows(screen),
        *_router_rows(data_dir / "router"),
        *(_question_rows(articles.parent / "questions") if articles is not None else ()),
        *(_article_rows(articles) if articles is not None else ()),
    ]
    for row in _read(safety / "crisis.jsonl"):
        rows.append(Row(row["text"], _split(row["text"]), crisis=row["label"], source=row["kind"]))
    for row in _read(screen / "crisis_more.jsonl"):
        rows.append(Row(row["text"], _split(row["text"]), crisis=row["crisis"], source=row["kind"]))
    for row in _read(safety / "support_legit.jsonl"):
        rows.append(Row(row["text"], _split(row["text"]), 0, 0, source="legit"))
    held_back = {row.text for row in rows if row.split != "train"}
    return [row for row in rows if row.split != "train" or row.text not in held_back]


def _injection_rows(safety: Path) -> Iterator[Row]:
    for row in _read(safety / "injection_train.jsonl"):
        split = "dev" if bucket(row["text"]) == 0 else "train"
        yield Row(row["text"], split, injection=row["label"], source=row["kind"])
    for row in _read(safety / "injection_dev.jsonl"):
        yield Row(row["text"], "test", injection=row["label"], source=row["kind"])


def _more_injection_rows(screen: Path) -> Iterator[Row]:
    for row in _read(screen / "injection_more.jsonl"):
        yield Row(row["text"], _split(row["text"]), injection=row["injection"], source=row["kind"])


def _family_rows(screen: Path) -> Iterator[Row]:
    """A message of somebody in danger, and one that only sounds so, is no attack on the bot."""
    for row in _read(screen / "injection_families.jsonl"):
        yield Row(row["text"], row["split"], row["label"], None, None, row["kind"], row["family"])
    for row in _read(screen / "crisis_families.jsonl"):
        attack = 0 if row["split"] == "train" else None
        yield Row(row["text"], row["split"], attack, row["label"], None, row["kind"], row["family"])


def _tone_rows(safety: Path) -> Iterator[Row]:
    for row in _read(safety / "tone.jsonl"):
        yield Row(row["text"], _split(row["text"]), tone=Tone(row["tone"]), source="tone")
    for row in _read(safety / "contrast_train.jsonl"):
        if row["labels"]["threat"] or row["group"] == "support_agent_abuse":
            tone = Tone.THREATENING if row["labels"]["threat"] else Tone.ABUSIVE
            yield Row(row["text"], "train", tone=tone, source="contrast")


def _desk_rows(safety: Path) -> Iterator[Row]:
    for row in _read(safety / "desk_tone_more.jsonl"):
        tone = TONE_OF.get(row["kind"])
        if tone is not None:
            yield Row(row["text"], row["split"], None, None, tone, "desk", row["family"])


def _more_rows(folder: Path) -> Iterator[Row]:
    for row in _read(folder / "more_train.jsonl"):
        tone = Tone(row["tone"]) if "tone" in row else None
        yield Row(row["text"], "train", row.get("injection"), row.get("crisis"), tone, "more")


def _router_rows(folder: Path) -> Iterator[Row]:
    for split, name in (("train", "train"), ("test", "dev")):
        for row in _read(folder / f"{name}.jsonl"):
            if row["intent"] in UNLABELLED:
                continue
            tone = Tone.CALM if row["intent"] in PLAINLY_CALM and split == "train" else None
            where = "dev" if split == "train" and bucket(row["text"]) == 0 else split
            yield Row(row["text"], where, 0, 0, tone if where == "train" else None, "router")


def _question_rows(folder: Path) -> Iterator[Row]:
    """Questions about the articles, which a shop's customers ask every day; and talk."""
    for split in ("train", "dev", "test"):
        for row in _read(folder / f"{split}.jsonl"):
            if row["expect"] in ORDINARY_QUESTIONS:
                yield Row(row["question"], split, 0, 0, _calm(row, split), "question")
        for row in _read(folder / "elsewhere" / f"{split}.jsonl"):
            yield Row(row["question"], split, None, 0, _calm(row, split), "talk")


def _calm(row: dict[str, Any], split: str) -> Tone | None:
    """Of rows to learn from; on the others false alarms are counted."""
    return Tone.CALM if split == "train" and row["type"] in PLAINLY_ASKED else None


def _article_rows(folder: Path) -> Iterator[Row]:
    """Every second pair of sentences; an article is on one side of the split."""
    for article in read_articles(folder, "sample").articles:
        for piece in pieces(article.text)[::2]:
            yield Row(piece, _split(article.id), injection=0, source=ARTICLE)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror or error}") from None
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise SetupError(f"{path}, line {number}: {error}") from None
    return rows


def bucket(text: str, of: int = 5) -> int:
    """A number below ``of`` that is always the same for a text."""
    return zlib.crc32(text.encode()) % of


def typed_fast(rows: Sequence[Row]) -> list[Row]:
    """A quarter of the train rows once more, as people type in a hurry: no capitals, no signs."""
    return [
        replace(row, text=_SIGNS.sub("", row.text).lower())
        for row in rows
        if row.split == "train" and row.source != ARTICLE and bucket(f"fast {row.text}", 4) == 0
    ]


def _split(text: str) -> str:
    return {0: "dev", 1: "test"}.get(bucket(text), "train")
