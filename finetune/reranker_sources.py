"""Groups for the reranker from invented help centres and public help texts."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chatbot.errors import SetupError
from finetune.centres import Centre, labels
from finetune.reranker_rows import POOL, Group, drawn, group, shown, words_of, worn
from finetune.synthesis import synthetic_groups
from knowledge_base.article import Article
from knowledge_base.chunking import Chunk, chunk
from knowledge_base.encoder import TextEncoder
from knowledge_base.pseudo import pseudo_questions
from knowledge_base.reranker import evidence, place_of
from knowledge_base.units import units

SAME_MATTER = 0.85  # cosine above which another chunk may answer as well
HELD = 0.8  # of a unit's words in the answer: the answer was made of it
NEAREST = 40  # units of a centre, by cosine, from which negatives are taken


def centre_groups(
    centres: Sequence[Centre], encoder: TextEncoder, rng: random.Random, size: int = 14
) -> list[Group]:
    """Each question once, as serving would search for it: joined with the turn before, or (a
    third of the follow-ups) as it stands where it has words enough."""
    groups = []
    for centre in centres:
        pieces = [(one, unit) for one in centre.chunks for unit in units(one.text)]
        texts = [shown(one, unit) for one, unit in pieces]
        vectors = encoder.embed(texts)
        asked = encoder.embed([question.queries[0] for question in centre.questions])
        for question, vector in zip(centre.questions, asked, strict=True):
            known = [label for one in centre.chunks for label in labels(question, one)]
            right = [text for text, label in zip(texts, known, strict=True) if label == 1]
            if question.evidence and not right:
                continue
            near = np.argsort(-(vectors @ vector))[:NEAREST].tolist()
            wrong = [texts[place] for place in near if known[place] == 0]
            groups.append(drawn(question.queries[0], right, wrong, rng, size))
    return groups


def synthetic(count: int, rng: random.Random) -> list[Group]:
    """Invented help pages whose unsaid facts are asked about too (``finetune.synthesis``)."""
    groups = []
    for rows in synthetic_groups(count, rng.randrange(10**6), rows_per_group=5):
        for row in rows:
            turns = [turn.text for turn in row.history if turn.role == "customer"]
            question = "\n".join([*turns[-1:], row.question])
            said = words_of(row.answer)
            right: list[str] = []
            wrong: list[str] = []
            for number, passage in enumerate(row.passages, 1):
                place = place_of(passage.title, passage.heading)
                for unit in units(passage.text):
                    own = words_of(unit)
                    held = number in row.gold and len(own & said) >= HELD * len(own)
                    (right if held else wrong).append(evidence(place, unit))
            if bool(right) == bool(row.gold):
                groups.append(drawn(question, right, wrong, rng, 8))
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
        own = words_of(row["question"])
        others.sort(key=lambda other: -len(own & words_of(other["question"])))
        near = [other["answer"] for other in others[:2]]
        far = [other["answer"] for other in rng.sample(others[2:], min(2, len(others[2:])))]
        place = row["entity_name"].title() if row["entity_id"] != "*" else row["domain"].title()
        right = [] if rng.random() < 0.2 else [row["answer"]]
        groups.append(
            group(
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
    """Questions made of passages, against the nearest other passages. Of each passage, the unit
    that shares most words with the question."""
    vectors = encoder.embed([one.embedded for one in chunks])
    groups = []
    for question in pseudo_questions(chunks, encoder, count=count, seed=rng.randrange(10**6)):
        cosines = vectors @ vectors[question.row]
        order = [i for i in np.argsort(-cosines).tolist() if cosines[i] < SAME_MATTER]
        words = words_of(question.text)
        best = [
            shown(one, max(units(one.text) or (one.text,), key=lambda u: len(words & words_of(u))))
            for one in (chunks[question.row], *(chunks[i] for i in order[:POOL]))
        ]
        groups.append(drawn(question.text, best[:1], best[1:], rng, 6))
    return groups
