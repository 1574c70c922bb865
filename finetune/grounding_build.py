"""The rows of the grounding head: true sentences, copied and reworded, and their corruptions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from chatbot.safety.facts import Fact, find_facts
from chatbot.safety.grounding_claim import Claim
from chatbot.safety.grounding_compare import compare
from chatbot.safety.grounding_units import read_passage
from chatbot.types import Passage
from finetune.grounding_corrupt import CORRUPTIONS, HELD_OUT, Pool, corrupted, units_of
from finetune.grounding_paraphrase import merged, paraphrased, rows_said
from finetune.grounding_rows import (
    GroundingRow,
    Text,
    dstc9_texts,
    logingov_texts,
    sample_texts,
)
from knowledge_base.plain import plain_text

SENTENCES = {"sample": 8, "logingov": 6, "dstc9": 1}  # taken of one passage, at most
TRUE_PER_SENTENCE = {"sample": 2, "logingov": 2, "dstc9": 1}
FALSE_PER_SENTENCE = {"sample": 3, "logingov": 3, "dstc9": 1}
FALSE_PER_REPLY = 2
REPLIES = 3  # of one FAQ answer, so that a popular one does not outweigh the others
TRAINED = tuple(kind for kind in CORRUPTIONS if kind not in HELD_OUT)


def all_texts(root: Path | None) -> list[Text]:
    """The sample company's passages, and those of the public sets below ``root`` if given."""
    texts = sample_texts()
    return texts if root is None else [*texts, *logingov_texts(root), *dstc9_texts(root)]


def build_rows(texts: Sequence[Text], seed: int) -> list[GroundingRow]:
    """Rows of all splits. Corruptions of a held-out type are made for the test only."""
    rng = random.Random(seed)
    rows: list[GroundingRow] = []
    for origin in sorted({text.origin for text in texts}):
        mine = [text for text in texts if text.origin == origin]
        names = {f.text for t in mine for f in _names(t.passage)}
        for split in ("train", "dev", "test"):
            part = tuple(text for text in mine if text.split == split)
            pool = Pool(tuple(sorted(names)), part)
            for text in part:
                rows += _rows_of(text, pool, rng)
    unique = {(row.claim, row.passage.text): row for row in rows}
    return list(unique.values())


def _rows_of(text: Text, pool: Pool, rng: random.Random) -> Iterator[GroundingRow]:
    sentences = [*units_of(text.passage.text), *rows_said(text.passage.text)]
    rng.shuffle(sentences)
    kinds = tuple(CORRUPTIONS) if text.split == "test" else TRAINED
    for sentence in sentences[: SENTENCES[text.origin]]:
        true = [paraphrased(sentence, rng) for _ in range(TRUE_PER_SENTENCE[text.origin])]
        if rng.random() < 0.5:
            true[0] = sentence
        both = merged(text, rng) if rng.random() < 0.25 else None
        yield from (_row(claim, text, 1, "copy" if claim == sentence else "paraphrase")
                    for claim in dict.fromkeys(true))  # fmt: skip
        if both:
            yield _row(both, text, 1, "merged")
        wanted = FALSE_PER_SENTENCE[text.origin] * (2 if text.split == "test" else 1)
        base = rng.choice([sentence, *true])
        yield from _corruptions(base, text, pool, rng, kinds, wanted)
    replies = list(text.answers)
    rng.shuffle(replies)
    kind = "human" if text.origin == "dstc9" else "answer"
    for claim in replies[:REPLIES] if kind == "human" else replies:
        if kind == "answer" and not _stated(claim, text.passage):
            continue
        yield _row(claim, text, 1, kind)
        wanted = FALSE_PER_REPLY * (2 if text.split == "test" else 1)
        for row in _corruptions(claim, text, pool, rng, kinds, wanted):
            yield replace(row, kind=f"{kind}:{row.kind}")


def _corruptions(
    claim: str, text: Text, pool: Pool, rng: random.Random, kinds: Sequence[str], wanted: int
) -> Iterator[GroundingRow]:
    made = 0
    for kind in rng.sample(kinds, k=len(kinds)):
        if made == wanted:
            return
        result = corrupted(claim, kind, text, pool, rng)
        if result is not None:
            made += 1
            yield _row(result, text, 0, kind)


def _row(claim: str, text: Text, label: int, kind: str) -> GroundingRow:
    borrowed = text.origin != "sample"
    return GroundingRow(claim, text.passage, label, kind, text.split, borrowed)


def _stated(claim: str, passage: Passage) -> bool:
    """An answer is written from an article; this picks the passage that it rests on."""
    compared = compare(Claim.of(claim), read_passage(passage))
    return not compared.problems and compared.coverage >= 0.6


def _names(passage: Passage) -> list[Fact]:
    return [f for f in find_facts(plain_text(passage.text)) if f.kind == "name" and len(f.text) > 3]
