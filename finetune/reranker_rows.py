"""Questions with passages that answer them and passages that do not, for the reranker."""

from __future__ import annotations

import csv
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

import numpy as np

from chatbot.errors import SetupError
from finetune.synthesis import noisy, synthetic_groups
from knowledge_base.article import Article
from knowledge_base.chunking import Chunk, chunk
from knowledge_base.encoder import TextEncoder
from knowledge_base.pseudo import pseudo_questions
from knowledge_base.query import search_queries
from knowledge_base.readers import read_articles
from knowledge_base.reranker import DEPTH, evidence, place_of
from knowledge_base.retriever import Retriever
from knowledge_base.snapshot import Snapshot
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles

DAY = date(2026, 11, 21)  # that the sample questions assume
POOL = 20  # places from which negatives are taken
HELD_OUT = 25  # of a hundred articles, and unanswerable rows: for temperature, weight and floor
NOISE = 0.35
MANY = 3  # chunks of one article that fit all patterns: then the patterns say little
SAME_MATTER = 0.85  # cosine above which another chunk may answer as well


@dataclass(frozen=True, slots=True)
class Group:
    """One question and passages as the network reads them; labels are 1 where it is answered."""

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
    words = _words(row["answer"])
    found: set[str] = set()
    for article in row["articles"]:
        own = [one for one in chunks if one.article == article]
        fitting = [one for one in own if patterns and all(p.search(one.text) for p in patterns)]
        if not fitting or len(fitting) > MANY:
            shared = {one.id: len(words & _words(one.embedded)) for one in (fitting or own)}
            fitting = [one for one in own if shared.get(one.id) == max(shared.values())][:1]
        found |= {one.id for one in fitting}
    return found


def shown(one: Chunk) -> str:
    return evidence(place_of(one.title, one.heading), one.text)


def sample_groups(judged: Sequence[Judged], rng: random.Random, size: int = 6) -> list[Group]:
    """Each row once: every passage that answers, and negatives, the nearest ones more often."""
    groups = []
    for one in judged:
        pairs = list(zip(one.chunks, one.labels, strict=True))
        right = [c for c, label in pairs if label == 1] + list(one.missed)
        wrong = [c for c, label in pairs if label == 0]
        right = rng.sample(right, min(2, len(right)))
        near, far = wrong[:6], wrong[6:]
        count = size - len(right)
        taken = rng.sample(near, min(len(near), count - 1))
        taken += rng.sample(far, min(len(far), count - len(taken)))
        groups.append(_group(worn(one.query, rng), map(shown, right), map(shown, taken)))
    return groups


def synthetic(count: int, rng: random.Random) -> list[Group]:
    """Invented help pages whose unsaid facts are asked about too (``finetune.synthesis``)."""
    groups = []
    for rows in synthetic_groups(count, rng.randrange(10**6), rows_per_group=5):
        for row in rows:
            turns = [turn.text for turn in row.history if turn.role == "customer"]
            texts = [evidence(place_of(p.title, p.heading), p.text) for p in row.passages]
            labels = tuple(int(n in row.gold) for n in range(1, len(texts) + 1))
            question = worn("\n".join([*turns[-1:], row.question]), rng)
            groups.append(Group(question, tuple(texts), labels))
    return groups


def dstc9(root: Path, count: int, rng: random.Random) -> list[Group]:
    """FAQ answers of hotels and the like against other answers of the same place.

    Answers of other places are left out: few questions say which place they are about.
    """
    path = root / "dstc9_faq_kb" / "faq_train_val.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise SetupError(f"{path} is needed for training ({error}); see --data-root") from None
    by_place: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        by_place.setdefault((row["domain"], row["entity_id"]), []).append(row)
    groups = []
    for row in rng.sample(rows, min(count, len(rows))):
        others = [o for o in by_place[row["domain"], row["entity_id"]] if o is not row]
        own = _words(row["question"])
        others.sort(key=lambda other: -len(own & _words(other["question"])))
        near = [other["answer"] for other in others[:2]]
        far = [other["answer"] for other in rng.sample(others[2:], min(2, len(others[2:])))]
        place = row["entity_name"].title() if row["entity_id"] != "*" else row["domain"].title()
        right = [] if rng.random() < 0.2 else [row["answer"]]
        groups.append(
            _group(
                worn(row["question"], rng),
                (evidence(place, text) for text in right),
                (evidence(place, text) for text in near + far),
            )
        )
    return groups


def logingov(root: Path) -> list[Chunk]:
    """Chunks of English Login.gov help articles (public domain)."""
    path = root / "logingov_help" / "articles.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise SetupError(f"{path} is needed for training ({error}); see --data-root") from None
    return [
        one
        for row in rows
        if row["lang"] == "en"
        for one in chunk(
            Article(id=row["slug"].replace("/", "-"), title=row["title"], text=row["text"])
        )
    ]


def pseudo(
    chunks: Sequence[Chunk], count: int, encoder: TextEncoder, rng: random.Random
) -> list[Group]:
    """Questions made of passages, against the nearest other passages."""
    vectors = encoder.embed([one.embedded for one in chunks])
    groups = []
    for question in pseudo_questions(chunks, encoder, count=count, seed=rng.randrange(10**6)):
        cosines = vectors @ vectors[question.row]
        order = [i for i in np.argsort(-cosines).tolist() if cosines[i] < SAME_MATTER]
        wrong = [chunks[i] for i in (*order[:2], *rng.sample(order[2:DEPTH], 1))]
        text = worn(question.text, rng)
        groups.append(_group(text, [shown(chunks[question.row])], map(shown, wrong)))
    return groups


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


def _group(question: str, right: Iterable[str], wrong: Iterable[str]) -> Group:
    answers, others = tuple(right), tuple(wrong)
    return Group(question, answers + others, (1,) * len(answers) + (0,) * len(others))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text.lower()))
