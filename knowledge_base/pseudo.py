"""Questions to calibrate retrieval with, where nobody has labelled any.

Those with an answer are made of the articles' titles, headings and sentences. Customers
rarely use an article's own words, so some are dropped, and some exchanged for other words
of the same help centre that the encoder finds near. Those without an answer come from a
list of questions asked in many trades, few of which any one help centre answers.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from knowledge_base.chunking import Chunk, plain_text
from knowledge_base.encoder import TextEncoder
from knowledge_base.lexical import words

OPENERS = ("how do i", "can i", "what about", "is there", "do you", "when", "why", "i need", "")
VOCABULARY = 1500  # most frequent words that may stand in for another; 1 to 2 s to embed
NEAR = 0.5  # cosine of two words above which one may stand in for the other
MOST_WORDS = 8
_WORD = re.compile(r"[^\W\d_]{2,}|\d+(?:[.,]\d+)*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")


@dataclass(frozen=True)
class PseudoQuestion:
    """A question, and the row of the chunk it was made of."""

    text: str
    row: int


def background_questions() -> list[str]:
    """Questions of many trades and of small talk, in English."""
    text = (files("knowledge_base") / "background.txt").read_text(encoding="utf-8")
    return text.split("\n")[:-1]


def pseudo_questions(
    chunks: Sequence[Chunk],
    encoder: TextEncoder,
    *,
    count: int,
    language: str = "en",
    seed: int = 0,
) -> list[PseudoQuestion]:
    """At most ``count`` questions, spread over the articles.

    The same chunks and seed give the same questions.
    """
    chooser = random.Random(seed)
    rows = _spread([chunk.article for chunk in chunks], count, chooser)
    stand_ins = _StandIns([chunks[row].embedded for row in rows], encoder, language)
    questions = []
    for row in rows:
        picked = _content(_subject(chunks[row], chooser), language)
        share = chooser.uniform(0.2, 0.7)  # of words a customer would put differently
        changed = [
            stand_ins.other(word, chooser) if chooser.random() < share else word
            for word in _window(picked, chooser)
        ]
        kept = [word for word in changed if word]
        if len(kept) >= 2:
            questions.append(PseudoQuestion(f"{chooser.choice(OPENERS)} {' '.join(kept)}", row))
    return questions


def _spread(owners: Sequence[str], count: int, chooser: random.Random) -> list[int]:
    """Row numbers: every article once, in random order, before any a second time."""
    by_owner: dict[str, list[int]] = {}
    for row, owner in enumerate(owners):
        by_owner.setdefault(owner, []).append(row)
    groups = list(by_owner.values())
    chooser.shuffle(groups)
    for group in groups:
        chooser.shuffle(group)
    rows: list[int] = []
    turn = 0
    while len(rows) < count and any(len(group) > turn for group in groups):
        rows += [group[turn] for group in groups if len(group) > turn]
        turn += 1
    return rows[:count]


def _subject(chunk: Chunk, chooser: random.Random) -> str:
    kind = chooser.random()
    if kind < 0.2:
        return f"{chunk.heading} {chunk.title}"
    parts = [part for part in _SENTENCE.split(chunk.text) if len(part.split()) > 3]
    part = plain_text(chooser.choice(parts or [chunk.text]))
    # A sentence alone rarely says what it is about; half of these questions say that too.
    return f"{chunk.title} {part}" if kind < 0.6 else part


def _content(text: str, language: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if words(word, language)]


def _window(picked: list[str], chooser: random.Random) -> list[str]:
    size = chooser.randint(3, MOST_WORDS)
    if len(picked) <= size:
        return picked
    return [picked[place] for place in sorted(chooser.sample(range(len(picked)), size))]


class _StandIns:
    """Near words by the encoder's cosine, with another stem."""

    def __init__(self, texts: Sequence[str], encoder: TextEncoder, language: str) -> None:
        counts = Counter(
            word
            for text in texts
            for word in _content(text, language)
            if len(word) > 3 and word.isalpha()
        )
        self._words = [word for word, _ in counts.most_common(VOCABULARY)]
        self._stems = [words(word, language)[0] for word in self._words]
        self._rows = {word: row for row, word in enumerate(self._words)}
        self._vectors = encoder.embed(self._words)

    def other(self, word: str, chooser: random.Random) -> str | None:
        """One of the three nearest words, or None when nothing is near: then it is dropped."""
        row = self._rows.get(word)
        if row is None:
            return None
        cosines = self._vectors @ self._vectors[row]
        near = [
            self._words[i]
            for i in np.argsort(-cosines)[:8].tolist()
            if cosines[i] > NEAR and self._stems[i] != self._stems[row]
        ]
        return chooser.choice(near[:3]) if near else None
