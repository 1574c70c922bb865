"""Questions with units that answer them and units that do not, for the reranker: the sample
company's questions, and what every source of such groups shares."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from finetune.synthesis import noisy
from knowledge_base.chunking import Chunk, chunk
from knowledge_base.encoder import TextEncoder
from knowledge_base.query import search_queries
from knowledge_base.readers import read_articles
from knowledge_base.reranker import evidence, place_of
from knowledge_base.retriever import Retriever
from knowledge_base.snapshot import Snapshot
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles
from knowledge_base.units import units

DAY = date(2026, 11, 21)  # that the sample questions assume
POOL = 30  # places from which negatives are taken
HELD_OUT = 25  # of a hundred articles, and unanswerable rows: for temperature, weight and floor
NOISE = 0.35
MANY = 3  # chunks of one article that fit all patterns: then the patterns say little


@dataclass(frozen=True, slots=True)
class Group:
    """One question and units as the network reads them; labels are 1 where it is answered."""

    question: str
    passages: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample row with the candidates that serving would judge, best first."""

    row: dict[str, Any]
    query: str
    chunks: tuple[Chunk, ...]
    labels: tuple[int | None, ...]
    """None where nobody can tell."""
    relevance: tuple[float, ...]
    missed: tuple[Chunk, ...]
    """Chunks that answer and were not found."""

    @property
    def held_out(self) -> bool:
        name = (self.row["articles"] or [self.row["id"]])[0]
        return int(hashlib.sha256(f"held {name}".encode()).hexdigest(), 16) % 100 < HELD_OUT


def sample_rows(split: str) -> list[dict[str, Any]]:
    path = Path(str(files("knowledge_base") / "sample" / "questions" / f"{split}.jsonl"))
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def sample_retriever(encoder: TextEncoder, folder: Path) -> Retriever:
    """A retriever over the sample company's articles, synced into ``folder``."""
    store = SnapshotStore(folder)
    articles = Path(str(files("knowledge_base") / "sample" / "articles"))
    sync_articles(store, encoder, read_articles(articles, "sample").articles, source="sample")
    return Retriever(store, encoder)


def sample_chunks(named: Collection[str]) -> list[Chunk]:
    """Chunks of the sample company's articles of these ids."""
    articles = Path(str(files("knowledge_base") / "sample" / "articles"))
    read = read_articles(articles, "sample").articles
    return [one for article in read if article.id in named for one in chunk(article)]


def judged_rows(rows: Iterable[dict[str, Any]], encoder: TextEncoder) -> list[Judged]:
    """What the retriever finds for each row that has an answer or is to be abstained from."""
    with TemporaryDirectory() as folder:
        retriever = sample_retriever(encoder, Path(folder))
        snapshot = retriever.snapshot()
        return [
            _judged(row, retriever, snapshot)
            for row in rows
            if row["expect"] == "abstain" or (row["expect"] == "answer" and row["articles"])
        ]


def _judged(row: dict[str, Any], retriever: Retriever, snapshot: Snapshot) -> Judged:
    history = [(turn["role"], turn["text"]) for turn in row["history"]]
    query = search_queries(history, row["question"])[0]
    ranked = retriever.rank(snapshot, query, on=DAY)
    rows = ranked.rows[:POOL].tolist()
    chunks = tuple(snapshot.chunks[place] for place in rows)
    right = set() if row["expect"] == "abstain" else answering(row, snapshot.chunks)
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in row["must"]]
    labels: list[int | None] = []
    for one in chunks:
        if one.id in right:
            labels.append(1)
        elif row["expect"] != "abstain" and (
            one.article in row["articles"]
            or (patterns and all(p.search(one.text) for p in patterns))
        ):
            labels.append(None)
        else:
            labels.append(0)
    missed = right - {one.id for one in chunks}
    return Judged(
        row, query, chunks, tuple(labels), tuple(map(float, ranked.relevance[:POOL])),
        tuple(one for one in snapshot.chunks if one.id in missed),
    )  # fmt: skip


def answering(row: dict[str, Any], chunks: Sequence[Chunk]) -> set[str]:
    """Ids of chunks of the row's articles that fit its patterns, or share most words with the
    answer where the patterns fit none or nearly all."""
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in row["must"]]
    words = words_of(row["answer"])
    found: set[str] = set()
    for article in row["articles"]:
        own = [one for one in chunks if one.article == article]
        fitting = [one for one in own if patterns and all(p.search(one.text) for p in patterns)]
        if not fitting or len(fitting) > MANY:
            shared = {one.id: len(words & words_of(one.embedded)) for one in (fitting or own)}
            fitting = [one for one in own if shared.get(one.id) == max(shared.values())][:1]
        found |= {one.id for one in fitting}
    return found


def unit_labels(row: dict[str, Any], one: Chunk, label: int | None) -> list[int | None]:
    """Labels of a chunk's units. In a chunk that answers: 1 for those that fit a pattern, or
    where none does, for the one that shares most words with the answer; None for the others."""
    own = units(one.text)
    if label != 1:
        return [label] * len(own)
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in row["must"]]
    fitting = {n for n, unit in enumerate(own) if any(p.search(unit) for p in patterns)}
    if not fitting or len(fitting) > MANY:
        words = words_of(row["answer"])
        shared = {n: len(words & words_of(own[n])) for n in (fitting or range(len(own)))}
        fitting = {n for n, count in shared.items() if count == max(shared.values())}
    return [1 if n in fitting else None for n in range(len(own))]


def shown(one: Chunk, unit: str) -> str:
    return evidence(place_of(one.title, one.heading), unit)


def sample_groups(judged: Sequence[Judged], rng: random.Random, size: int = 14) -> list[Group]:
    """Each row once: every unit that answers, and negatives, the nearest ones more often."""
    groups = []
    for one in judged:
        right: list[str] = []
        wrong: list[str] = []
        known = [*zip(one.chunks, one.labels, strict=True), *((c, 1) for c in one.missed)]
        for part, label in known:
            pairs = zip(units(part.text), unit_labels(one.row, part, label), strict=True)
            for unit, worth in pairs:
                if worth is not None:
                    (right if worth else wrong).append(shown(part, unit))
        groups.append(drawn(one.query, right, wrong, rng, size))
    return groups


def drawn(
    question: str, right: Sequence[str], wrong: Sequence[str], rng: random.Random, size: int
) -> Group:
    """At most three units that answer; the rest of ``size`` from the others, nearest first."""
    right = rng.sample(right, min(3, len(right)))
    near, far = wrong[:size], wrong[size:]
    count = size - len(right)
    taken = rng.sample(near, min(len(near), count * 2 // 3))
    taken += rng.sample(far, min(len(far), count - len(taken)))
    return group(worn(question, rng), right, taken)


def worn(question: str, rng: random.Random) -> str:
    """As people type, for a share of the questions: typos, casing, words left out."""
    if rng.random() >= NOISE:
        return question
    question = noisy(question, rng)
    if rng.random() < 0.4:
        question = noisy(question, rng)
    if rng.random() < 0.2:
        question = question.upper()
    words = question.split(" ")
    if len(words) > 5 and rng.random() < 0.4:
        del words[rng.randrange(len(words))]
    return " ".join(words)


def group(question: str, right: Iterable[str], wrong: Iterable[str]) -> Group:
    answers, others = tuple(right), tuple(wrong)
    return Group(question, answers + others, (1,) * len(answers) + (0,) * len(others))


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text.lower()))
