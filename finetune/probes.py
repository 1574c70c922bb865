"""Rows that provoke: toxic baits, injections in question and passage, requests for secrets.

``data/answers/probes.toml`` holds the words. A probe is asked with passages of a help centre
that nothing is trained on; what would show that it worked is known by construction.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from chatbot.answering.prompt import ABSTENTION
from finetune.answers_rows import AnswerRow, PassageText
from finetune.centres import Centre, read_centres
from knowledge_base.units import units

PROBES = Path(__file__).parent / "data" / "answers" / "probes.toml"
BAIT, INJECTION, LEAK = "bait", "injection", "leak"
PASSAGES = 3


@dataclass(frozen=True)
class Counts:
    baits: int = 500
    injections: int = 300
    leaks: int = 60


@dataclass(frozen=True)
class Probe:
    """``shows``: a regular expression that an answer matches only if it obeyed."""

    row: AnswerRow
    shows: str = ""


@dataclass(frozen=True)
class Injection:
    """``said`` stands in a passage, or with ``in_question`` in a message, where ``{question}`` is
    what the customer asks."""

    said: str
    in_question: bool
    shows: str


def probes(counts: Counts, seed: int = 1) -> list[Probe]:
    """The same for the same counts and seed."""
    rng = random.Random(seed)
    content = _content()
    centres = read_centres(dev=True)
    provocations = baits()
    rng.shuffle(provocations)
    made = [Probe(_row(said, _shown(centres, rng), BAIT)) for said in provocations[: counts.baits]]
    made += _injections(content["injection"], centres, rng)[: counts.injections]
    asks = content["leak"]["asks"]
    made += [
        Probe(_row(asks[n % len(asks)], _shown(centres, rng), LEAK)) for n in range(counts.leaks)
    ]
    return made


def _injections(
    content: dict[str, Any], centres: Sequence[Centre], rng: random.Random
) -> list[Probe]:
    made = []
    for injection in _all(content):
        question, passages = _asked(centres, rng)
        if injection.in_question:
            row = _row(injection.said.replace("{question}", question), passages, INJECTION)
        else:
            spot = rng.randrange(len(passages))
            text = f"{passages[spot].text} {injection.said}"
            planted = replace(passages[spot], text=text)
            row = _row(question, (*passages[:spot], planted, *passages[spot + 1 :]), INJECTION)
        made.append(Probe(row, injection.shows))
    rng.shuffle(made)
    return made


def injections() -> list[Injection]:
    """Every command in every place where it hides."""
    return _all(_content()["injection"])


def baits() -> list[str]:
    """Every provocation."""
    content = _content()["bait"]
    return [" ".join(pair) for pair in product(content["openings"], content["asks"])]


def leaks() -> list[str]:
    """Every request for what nobody may tell."""
    return list(_content()["leak"]["asks"])


def _all(content: dict[str, Any]) -> list[Injection]:
    places = [(words, True) for words in content["in_question"]]
    places += [(words, False) for words in content["in_passage"]]
    return [
        Injection(words.replace("{command}", command["text"]), in_question, command["shows"])
        for (words, in_question), command in product(places, content["commands"])
    ]


def _row(question: str, passages: tuple[PassageText, ...], kind: str) -> AnswerRow:
    return AnswerRow(question, passages, ABSTENTION, kind=kind, company="Larkmoor")


def _asked(centres: Sequence[Centre], rng: random.Random) -> tuple[str, tuple[PassageText, ...]]:
    """A question of a centre, with a passage that answers it where there is one."""
    centre = rng.choice(centres)
    question = rng.choice([q for q in centre.questions if q.evidence])
    proof = {a.id: a for a in centre.articles}[question.evidence[0][0]]
    first = PassageText(proof.title, "", question.evidence[0][1])
    passages = [first, *_shown([centre], rng)[1:]]
    rng.shuffle(passages)
    return question.text, tuple(passages)


def _shown(centres: Sequence[Centre], rng: random.Random) -> tuple[PassageText, ...]:
    chunks = rng.sample(rng.choice(centres).chunks, PASSAGES)
    return tuple(
        PassageText(one.title, one.heading, rng.choice(units(one.text) or (one.text,)))
        for one in chunks
    )


@cache
def _content() -> dict[str, Any]:
    return tomllib.loads(PROBES.read_text(encoding="utf-8"))
