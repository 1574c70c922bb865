"""Labelled rows for the router, read strictly: every problem is reported with its row.

Rows are JSONL or CSV with ``text``, ``intent`` (a string, or a list for several) and
optional ``entities`` [{"start","end","label"}] in characters of ``text``. A JSONL row with
``borrowed`` true is learnt from, but its words are not copied into anything that is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from chatbot.errors import BadInput
from finetune.router_records import UNREADABLE, records

OUT_OF_SCOPE = "out_of_scope"
MAX_REPORTED = 20  # problems shown at once; a person mends these and runs again
LARGE_ROWS, TOLERATED = 500, 0.01
"""Published sets hold a few nested spans (0.7% of Restaurants-8k): up to this share of a file of
at least this many rows is left out and listed, more stops the training."""
MAX_TEXT_CHARS = 20_000  # far beyond any message: such a row is a file read wrongly


@dataclass(frozen=True, slots=True)
class EntitySpan:
    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class RouterRow:
    """``number`` is the line in JSONL and the record in CSV, the header being 1."""

    number: int
    text: str
    intents: tuple[str, ...]
    entities: tuple[EntitySpan, ...] = ()
    borrowed: bool = False
    """Of a set whose words stay with it: the model, its lists and its report go without them."""

    @property
    def shown(self) -> str:
        """The text where it may be written down, else empty."""
        return "" if self.borrowed else self.text

    @property
    def out_of_scope(self) -> bool:
        return OUT_OF_SCOPE in self.intents


@dataclass(frozen=True)
class RouterData:
    rows: tuple[RouterRow, ...]
    multi_label: bool
    skipped: tuple[str, ...] = ()
    """What ``skip_bad_rows`` left out, one line a row."""

    @property
    def intents(self) -> tuple[str, ...]:
        """Sorted, without ``out_of_scope``."""
        return tuple(sorted({i for r in self.rows for i in r.intents} - {OUT_OF_SCOPE}))

    @property
    def entity_labels(self) -> tuple[str, ...]:
        return tuple(sorted({e.label for r in self.rows for e in r.entities}))


def read_rows(path: Path, *, skip_bad_rows: bool = False, judge_spans: bool = True) -> RouterData:
    """All rows of ``path``. Raises BadInput naming up to 20 bad rows.

    With ``skip_bad_rows`` they are left out and listed in ``skipped``, and so are a few of a
    large file (TOLERATED); problems of the whole file (no rows, two spellings of a label) raise
    all the same. Without ``judge_spans`` spans may overlap and cut words: a file that is only
    measured against is taken as it is.
    """
    return parse_rows(path, records(path), skip_bad_rows=skip_bad_rows, judge_spans=judge_spans)


def parse_rows(
    path: Path,
    numbered: Iterable[tuple[int, dict[str, Any]]],
    *,
    skip_bad_rows: bool = False,
    judge_spans: bool = True,
) -> RouterData:
    """As ``read_rows``, for ``numbered`` records of ``path``."""
    problems: list[tuple[int, str]] = []
    rows: list[RouterRow] = []
    multi_label = False
    for number, record in numbered:
        try:
            row = _row(number, record)
            if judge_spans:
                _check_spans(row)
        except ValueError as error:
            problems.append((number, str(error)))
            continue
        multi_label = multi_label or isinstance(record["intent"], list)
        rows.append(row)
    if judge_spans:
        problems += [(r.number, p) for r in rows if (p := _broken_word(r, rows))]
    few = len(rows) >= LARGE_ROWS and len(problems) <= TOLERATED * len(rows)
    if problems and not skip_bad_rows and not few:
        raise BadInput(problem_report(path, sorted(problems)))
    bad = {number for number, _ in problems}
    kept = tuple(r for r in rows if r.number not in bad)
    if not kept:
        raise BadInput(f"{path}: no usable row; needed are text, intent and optional entities")
    _check_spellings(path, kept)
    skipped = tuple(f"row {number}: {problem}" for number, problem in sorted(problems))
    return RouterData(kept, multi_label, skipped)


def _row(number: int, record: dict[str, Any]) -> RouterRow:
    if UNREADABLE in record:
        raise ValueError(record[UNREADABLE])
    for key in ("text", "intent"):
        if key not in record:
            raise ValueError(f"{key!r} is missing")
    text, intent = record["text"], record["intent"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError("text is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError(f"text has {len(text)} characters; at most {MAX_TEXT_CHARS}")
    intents = tuple(intent) if isinstance(intent, list) else (intent,)
    if not all(isinstance(i, str) and i.strip() == i and i for i in intents):
        raise ValueError(f"intent {intent!r} must be a name, or a list of names")
    if OUT_OF_SCOPE in intents and len(intents) > 1:
        raise ValueError(f"{OUT_OF_SCOPE} stands beside {some(intents)}; it must stand alone")
    spans = tuple(_span(text, s) for s in record.get("entities") or ())
    ordered = tuple(sorted(spans, key=lambda s: (s.start, s.end)))
    borrowed = record.get("borrowed", False)
    if not isinstance(borrowed, bool):
        raise ValueError(f"borrowed is {borrowed!r}; it must be true or false")
    return RouterRow(number, text, tuple(dict.fromkeys(intents)), ordered, borrowed)


def _check_spans(row: RouterRow) -> None:
    for span in row.entities:
        piece = row.text[span.start : span.end]
        if piece != piece.strip():
            raise ValueError(
                f"entity {span.label} {span.start}-{span.end} is {piece!r}: it begins or ends "
                "with a space (off by one?)"
            )
    for left, right in pairwise(row.entities):
        if right.start < left.end:
            raise ValueError(
                f"entities {left.label} {left.start}-{left.end} and "
                f"{right.label} {right.start}-{right.end} overlap"
            )


def _span(text: str, raw: Any) -> EntitySpan:
    try:
        start, end, label = raw["start"], raw["end"], raw["label"]
    except (TypeError, KeyError):
        raise ValueError(f"entity {raw!r} needs start, end and label") from None
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"entity {raw!r} has no label")
    if type(start) is not int or type(end) is not int:
        raise ValueError(f"entity {label}: start and end must be whole numbers")
    if not 0 <= start < end <= len(text):
        raise ValueError(f"entity {label} {start}-{end} lies outside 0-{len(text)}")
    piece = text[start:end]
    if "text" in raw and raw["text"] != piece:
        raise ValueError(f"entity {label} {start}-{end} is {piece!r}, not {raw['text']!r}")
    return EntitySpan(start, end, label)


def _broken_word(row: RouterRow, rows: Sequence[RouterRow]) -> str | None:
    """A span that cuts a word, unless the same value stands whole elsewhere.

    "orderLM-77" (a typing error around a real value) is kept; "M-77" of "LM-77" is not.
    """
    for span in row.entities:
        before, after = row.text[: span.start][-1:], row.text[span.end :][:1]
        piece = row.text[span.start : span.end]
        cut = _one_word(before, piece[0]) or _one_word(piece[-1], after)
        if cut and not _stands_whole(piece, span.label, rows):
            return f"entity {span.label} {span.start}-{span.end} is {piece!r}: it cuts a word"
    return None


def _one_word(left: str, right: str) -> bool:
    return (left.isdigit() and right.isdigit()) or (left.isalpha() and right.isalpha())


def _stands_whole(value: str, label: str, rows: Sequence[RouterRow]) -> bool:
    pattern = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.IGNORECASE)
    return any(
        e.label == label and pattern.fullmatch(r.text, e.start, e.end) is not None
        for r in rows
        for e in r.entities
    )


def _check_spellings(path: Path, rows: Sequence[RouterRow]) -> None:
    first: dict[tuple[str, str], tuple[str, int]] = {}
    problems = []
    labels: Iterable[tuple[str, str, int]] = (
        *(("intent", i, r.number) for r in rows for i in r.intents),
        *(("entity label", e.label, r.number) for r in rows for e in r.entities),
    )
    for kind, label, number in labels:
        key = (kind, re.sub(r"[\W_]", "", label.casefold()))
        known, at = first.setdefault(key, (label, number))
        if known != label:
            problems.append((number, f"{kind} {label!r} is {known!r} in row {at}; use one"))
    if problems:
        raise BadInput(problem_report(path, sorted(set(problems)), skippable=False))


def problem_report(
    path: Path, problems: Sequence[tuple[int, str]], *, skippable: bool = True
) -> str:
    """Up to MAX_REPORTED problems, one line a row."""
    lines = [f"  row {number}: {problem}" for number, problem in problems[:MAX_REPORTED]]
    if len(problems) > MAX_REPORTED:
        lines.append(f"  and {len(problems) - MAX_REPORTED} more")
    hint = "; mend them or pass --skip-bad-rows" if skippable else ""
    return f"{path}: {len(problems)} rows cannot be used{hint}\n" + "\n".join(lines)


def some(names: Sequence[str]) -> str:
    """The first names and how many more there are."""
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown or "none"
