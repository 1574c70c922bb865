"""A passage as the units in which a fact may stand: sentences, list items, table rows.

A number supports a claim only together with the words of its own unit. A table row carries
its column names and its label; a list item the line that introduces it; every unit its title
path, and, where it opens with a pronoun, the sentence before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from chatbot.answering.sentences import split_sentences
from chatbot.safety.facts import Fact, find_facts
from chatbot.safety.grounding_words import content_stems, tidy, words_of
from chatbot.types import Passage
from knowledge_base.plain import plain_text

_LIST_MARK = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,3}[.)])\s+")
_ROW = re.compile(r"^([^:;]{1,80}): (.+;.+|[^.!?]+\? \S.*)$")  # of two columns: 'X: Allowed? no'
_CLAUSE = re.compile(
    r"[;:]\s|\s-\s|,?\s(?:but|unless|except|although|though|while|whereas|because|if|when|however)\b"
    r"|,\s(?:and|or|so|which|who|where|not)\b",
    re.IGNORECASE,
)
_AND = re.compile(r"\s(?:and|or)\s(?![£€$]?\d)", re.IGNORECASE)  # '£5 or €6' is one price
_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|their|this|these|those|that|he|she|both|one|such)\b", re.IGNORECASE
)
_MEASURED = frozenset({"amount", "percent", "quantity", "number", "date", "time", "month"})


@dataclass(frozen=True, slots=True)
class Scope:
    """A clause or a table cell: where a number and the words about it stand together."""

    text: str
    stems: frozenset[str]
    facts: tuple[Fact, ...]
    row: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """``text`` is read with ``context``, the words that it takes for granted."""

    text: str
    context: str
    stems: frozenset[str]
    context_stems: frozenset[str]
    scopes: tuple[Scope, ...]
    facts: tuple[Fact, ...]

    @property
    def all_stems(self) -> frozenset[str]:
        return self.stems | self.context_stems


@dataclass(frozen=True, slots=True)
class PassageUnits:
    """``place`` is the title path; ``facts`` are those of the whole passage, links included."""

    place: str
    units: tuple[Unit, ...]
    facts: tuple[Fact, ...]
    stems: frozenset[str]
    words: frozenset[str]


def read_passage(passage: Passage) -> PassageUnits:
    """Units of a passage in order; read once per text and title."""
    return _read(passage.title, passage.heading, passage.text)


def joined(passages: Sequence[PassageUnits]) -> PassageUnits:
    """Several passages as one, for a claim that takes its parts from each."""
    return PassageUnits(
        " | ".join(p.place for p in passages),
        tuple(unit for p in passages for unit in p.units),
        tuple(fact for p in passages for fact in p.facts),
        frozenset().union(*(p.stems for p in passages)),
        frozenset().union(*(p.words for p in passages)),
    )


def scopes_of(text: str) -> tuple[Scope, ...]:
    """Clauses of a sentence; 'and' parts them only where each side has a number of its own."""
    pieces: list[str] = []
    for clause in _split(_CLAUSE, text):
        held = ""
        for part in _split(_AND, clause):
            joined = held + part
            if held and _measured(held) and _measured(part):
                pieces.append(held)
                held = part
            else:
                held = joined
        pieces.append(held)
    return tuple(_scope(piece) for piece in pieces)


def _scope(text: str, *, row: bool = False) -> Scope:
    return Scope(text.strip(), frozenset(content_stems(tidy(text))), find_facts(text), row)


def _split(pattern: re.Pattern[str], text: str) -> list[str]:
    """Pieces of a text; the separator opens the next piece."""
    cuts = [0, *(m.start() for m in pattern.finditer(text) if m.start() > 0), len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if text[a:b].strip()]


def _measured(text: str) -> bool:
    return any(fact.kind in _MEASURED for fact in find_facts(text))


@lru_cache(maxsize=4096)
def _read(title: str, heading: str, text: str) -> PassageUnits:
    place = plain_text(" > ".join(part for part in (title, heading) if part))
    units: list[Unit] = []
    intro = before = ""
    for line in plain_text(text).split("\n"):
        marked = _LIST_MARK.match(line)
        body = line[marked.end() :] if marked else line
        if not body.strip():
            continue
        row = _ROW.match(body) if marked else None
        context = f"{place}. {intro}" if marked and intro else place
        if row is not None:
            cells = tuple(_scope(f"{row[1]}: {cell}", row=True) for cell in row[2].split(";"))
            units.append(_unit(body, context, cells))
            continue
        for sentence in split_sentences(body):
            leans = before and _PRONOUN.search(" ".join(sentence.split()[:6]))
            units.append(
                _unit(sentence, f"{context}. {before}" if leans else context, scopes_of(sentence))
            )
            before = sentence
        if not marked:
            intro = body if body.rstrip().endswith(":") else ""
    everything = f"{place}.\n{plain_text(text)}"
    tidied = tidy(everything)
    return PassageUnits(
        place,
        tuple(units),
        (*find_facts(everything), *(f for f in find_facts(text) if f.kind in {"link", "email"})),
        frozenset(content_stems(tidied)),
        frozenset(words_of(tidied)),
    )


def _unit(text: str, context: str, scopes: tuple[Scope, ...]) -> Unit:
    stems = frozenset(content_stems(tidy(text)))
    return Unit(text, context, stems, frozenset(content_stems(tidy(context))), scopes,
                find_facts(text))  # fmt: skip
