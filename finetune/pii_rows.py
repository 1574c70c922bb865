"""What the tagger of personal data learns from: texts with the spans that it must find.

Own: patterns with slots (``data/personal/patterns.jsonl``), whole messages, most of them traps
(``data/personal/messages``), questions with labelled entities (``data/router/train.jsonl``) and
sentences of articles, in which nobody is named. With
``--data-root``: the sentences of presidio-research, parted by their template.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chatbot.answering.sentences import split_sentences
from chatbot.errors import SetupError
from chatbot.safety.entities import PII
from chatbot.safety.pii import find_entities
from chatbot.safety.pii_tagger import LABELS
from chatbot.tags import Span
from finetune.centres import read_centres
from finetune.pii_fill import JOINED, LABEL_OF, PARTS, SLOT, Filler, altered

DATA: Final = Path(__file__).parent / "data"
PATTERNS: Final = Path("personal") / "patterns.jsonl"
MESSAGES: Final = Path("personal") / "messages"
ORDINARY: Final = Path("safety") / "support_legit.jsonl"
QUESTIONS: Final = Path("router") / "train.jsonl"
OUTSIDE: Final = Path("presidio_pii") / "synth_dataset_v2.jsonl"
OUTSIDE_FAMILY: Final = "outside"
_OUTSIDE_LABEL: Final = {
    "PERSON": "person_name",
    "STREET_ADDRESS": "address",
    "ZIP_CODE": "postcode",
    "PHONE_NUMBER": "phone",
    "GPE": "place",
    "ORGANIZATION": "organisation",
}
TITLE: Final = re.compile(r"(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof)\.? ")
_DEV_SHARE: Final = 5  # one pattern or template in so many is kept for choosing


@dataclass(frozen=True, slots=True)
class Tagged:
    """``spans`` are by position and do not overlap; ``family``: what shares its wording."""

    text: str
    spans: tuple[Span, ...]
    family: str
    split: str


@dataclass(frozen=True, slots=True)
class Amounts:
    """How often each pattern is filled."""

    personal: int = 44
    plain: int = 10
    """Of patterns with no personal slot."""
    messages: int = 5
    others: int = 4
    """Of each message that names somebody, with other people and places put into it."""
    outside: int = 2
    dev: int = 2


def read_rows(
    data: Path = DATA, outside: Path | None = None, amounts: Amounts | None = None, seed: int = 0
) -> list[Tagged]:
    """Train and dev rows. Raises SetupError naming file and line for what cannot be used."""
    amounts = amounts or Amounts()
    rows = [*_filled(data / PATTERNS, amounts, seed), *_questions(data / QUESTIONS)]
    rows += _messages(data / MESSAGES, amounts, seed)
    rows += _ordinary(data / ORDINARY)
    rows += _article_sentences()
    if outside is not None:
        rows += _outside(outside / OUTSIDE, amounts.outside, seed)
    return rows


def _filled(path: Path, amounts: Amounts, seed: int) -> Iterator[Tagged]:
    filler = Filler(seed)
    for number, record in _lines(path):
        pattern = record.get("text")
        if not isinstance(pattern, str) or not pattern.strip():
            raise SetupError(f'{path}, line {number}: expected {{"text": PATTERN}}')
        split = _split(pattern)
        personal = any(m[1] in LABEL_OF for m in SLOT.finditer(pattern))
        times = amounts.personal if personal else amounts.plain
        if not SLOT.search(pattern):
            times = 3  # only its case can change
        for i in range(times if split == "train" else min(times, amounts.dev)):
            text, spans = filler.fill(pattern, i, record.get("language"))
            yield _row(*altered(text, spans, random.Random(f"{seed}:{i}:{text}")), pattern, split)


def _messages(folder: Path, amounts: Amounts, seed: int) -> Iterator[Tagged]:
    """Of each message what it says, copies as people type it, and the same said of others."""
    filler = Filler(seed + 2)
    for path in sorted(folder.glob("*.jsonl")):
        for number, record in _lines(path):
            text = record["text"]
            spans = _spans(text, record["entities"], f"{path}, line {number}")
            yield _row(text, spans, text, "train")
            dice = random.Random(f"{seed}:{path.name}:{number}")
            for _ in range(amounts.messages - 1):
                yield _row(*altered(text, spans, dice), text, "train")
            if spans and "{" not in text:
                for i in range(amounts.others):
                    again = filler.fill(_as_pattern(text, spans, dice), i)
                    yield _row(*altered(*again, dice), text, "train")


def _ordinary(path: Path) -> Iterator[Tagged]:
    """Dev rows like what a desk hears all day; ``entities`` stand where somebody is named."""
    for number, record in _lines(path):
        text = record["text"]
        spans = _spans(text, record.get("entities", ()), f"{path}, line {number}")
        yield _row(text, spans, text, "dev")


def _spans(text: str, entities: Sequence[tuple[str, str]], where: str) -> list[Span]:
    """In the order of the file each value is looked for behind the one before."""
    spans: list[Span] = []
    position = 0
    for label, value in entities:
        start = text.find(value, position)
        start = text.find(value) if start < 0 else start
        if start < 0:
            raise SetupError(f"{where}: {value!r} does not stand in the text")
        position = start + len(value)
        if label in LABELS:
            title = TITLE.match(value) if label == "person_name" else None
            spans.append((start + (title.end() if title else 0), position, label))
    return sorted(spans)


def _questions(path: Path) -> Iterator[Tagged]:
    """The router's rows; those with an address or a postcode have no label for it."""
    for _, record in _lines(path):
        text = record["text"]
        found = {e.label for e in find_entities(text)}
        if found & {"address", "postcode"}:
            continue
        spans = [
            (e["start"], e["end"], e["label"]) for e in record["entities"] if e["label"] in LABELS
        ]
        yield _row(text, spans, text, "train")


def _article_sentences() -> Iterator[Tagged]:
    """Of the invented help centres: company and product names, places, numbers, nobody's data."""
    seen: set[str] = set()
    for dev in (False, True):
        for centre in read_centres(dev=dev):
            for article in centre.articles:
                for text in (*split_sentences(article.text), article.title):
                    if text in seen or any(e.label in PII for e in find_entities(text)):
                        continue
                    seen.add(text)
                    yield _row(text, [], text, "dev" if dev else "train")


def _outside(path: Path, times: int, seed: int) -> Iterator[Tagged]:
    """Each row as it is, and its train rows with other people put into the places of its own."""
    filler = Filler(seed + 1)
    for number, record in _lines(path):
        text = record["text"]
        spans = _merged(
            text,
            sorted(
                (s["start"], s["end"], _OUTSIDE_LABEL[s["type"]])
                for s in record["spans"]
                if s["type"] in _OUTSIDE_LABEL
            ),
        )
        family = f"{OUTSIDE_FAMILY} {record['template_id']}"
        split = _split(family)
        yield _row(text, spans, family, split)
        if split == "train":
            dice = random.Random(f"{seed}:{number}")
            for i in range(times):
                again = filler.fill(_as_pattern(text, spans, dice), i)
                yield _row(*altered(*again, dice), family, split)


_SLOTS: Final = {
    "person_name": ("full",),
    "address": ("address", "address_lines", "street"),
    "postcode": ("postcode",),
    "phone": ("phone",),
    "place": ("city", "country"),
    "organisation": ("company",),
}


def _as_pattern(text: str, spans: Sequence[Span], dice: random.Random) -> str:
    pieces, position = [], 0
    for n, (start, end, label) in enumerate(spans):
        value = text[start:end]
        slots = _SLOTS[label]
        if label == "person_name" and " " not in value:
            slots = ("first", "last")
        pieces += [text[position:start], f"{{{dice.choice(slots)}{n}}}"]
        position = end
    return "".join([*pieces, text[position:]])


def _merged(text: str, spans: Sequence[Span]) -> list[Span]:
    """The parts of one address as one; a place that touches it is a part of it."""
    kept: list[Span] = []
    for start, end, label in spans:
        if kept:
            before = kept[-1]
            if start < before[1]:
                continue
            parts = {before[2], label}
            if JOINED.fullmatch(text[before[1] : start]) and "address" in parts <= PARTS:
                kept[-1] = (before[0], end, "address")
                continue
        kept.append((start, end, label))
    return kept


def _row(text: str, spans: Sequence[Span], family: str, split: str) -> Tagged:
    return Tagged(text, tuple(spans), family, split)


def _split(family: str) -> str:
    return "dev" if zlib.crc32(family.encode()) % _DEV_SHARE == 0 else "train"


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror or error})") from None
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise SetupError(f"{path}, line {number} is no JSON ({error})") from None
        if not isinstance(record, dict):
            raise SetupError(f"{path}, line {number}: expected an object, found {line[:40]!r}")
        yield number, record
