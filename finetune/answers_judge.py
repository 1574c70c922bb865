"""One raw answer against its row: fixed rules, no model that serves is asked.

right            every ``must`` matches (without any: every number of the gold answer and 0.6 of
                 its words), or the abstention where that is due
supported        every sentence's numbers, and 0.6 of its content words, stand in the passages it
                 cites (in all that are shown, where it cites none)
cited            the passages named are exactly ``gold``
rouge_l          F1 of the longest common subsequence of words with the gold answer
                 (C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004)
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chatbot.answering.composer import Composer
from chatbot.answering.engine import Engine
from chatbot.types import Sentence, SentenceKind
from finetune.answers_rows import AnswerRow
from finetune.answers_sources import overlap, words

WORDS_HELD = 0.6
DEADLINE_S = 900.0  # nobody waits here, and other work may share the machine
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*%?")
_WORD = re.compile(r"\w+")
_MARK = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")


@dataclass(frozen=True)
class Judged:
    """None: the figure does not concern this row."""

    question: str
    kind: str
    gold: str
    answer: str
    right: bool
    abstained: bool
    supported: bool | None
    cited: bool | None
    faithful: bool | None
    """Every number stands in the passages or the question."""
    rouge_l: float | None
    words: int
    seconds: float

    @property
    def due(self) -> bool:
        """Whether the right answer is an abstention."""
        return not self.gold

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def judge(row: AnswerRow, engine: Engine, max_new_tokens: int) -> Judged:
    """Asks ``engine`` as serving asks it, with the row's own passages."""
    started = time.perf_counter()
    composer = Composer(engine, row.company, max_new_tokens, DEADLINE_S)
    sentences = [
        sentence
        async for sentence in composer.compose(row.question, row.as_passages(), row.history)
    ]
    return judged(row, sentences, time.perf_counter() - started)


def judged(row: AnswerRow, sentences: Sequence[Sentence], seconds: float = 0.0) -> Judged:
    answer = " ".join(sentence.text for sentence in sentences)
    abstained = not sentences or any(s.kind is SentenceKind.ABSTENTION for s in sentences)
    named = {number for sentence in sentences for number in sentence.cited}
    spoken = not abstained
    return Judged(
        question=row.question,
        kind=row.kind,
        gold="" if row.abstains else row.answer,
        answer=answer,
        right=abstained if row.abstains else spoken and _right(row, answer),
        abstained=abstained,
        supported=all(_supported(row, s) for s in sentences) if spoken else None,
        cited=named == set(row.gold) if spoken and not row.abstains else None,
        faithful=_faithful(row, sentences) if spoken else None,
        rouge_l=None if row.abstains else rouge_l(row.answer, answer),
        words=len(answer.split()),
        seconds=round(seconds, 3),
    )


def rouge_l(reference: str, answer: str) -> float:
    """0..1, citation marks left out, case ignored."""
    first, second = (_WORD.findall(_MARK.sub("", t).lower()) for t in (reference, answer))
    if not first or not second:
        return 0.0
    lengths = [0] * (len(second) + 1)
    for word in first:
        before = 0
        for place, other in enumerate(second, 1):
            kept = lengths[place]
            lengths[place] = before + 1 if word == other else max(kept, lengths[place - 1])
            before = kept
    return round(2 * lengths[-1] / (len(first) + len(second)), 4)


def _right(row: AnswerRow, answer: str) -> bool:
    if row.must:
        return all(re.search(pattern, answer, re.IGNORECASE) for pattern in row.must)
    gold = _MARK.sub("", row.answer)
    figures = set(_FIGURE.findall(gold))
    due, said = set(_WORD.findall(gold.lower())), set(_WORD.findall(answer.lower()))
    return figures <= set(_FIGURE.findall(answer)) and len(due & said) >= WORDS_HELD * len(due)


def _supported(row: AnswerRow, sentence: Sentence) -> bool:
    if sentence.kind is not SentenceKind.CLAIM:
        return True
    numbers = sentence.cited or range(1, len(row.passages) + 1)
    chosen = [row.passages[n - 1] for n in numbers]
    shown = " ".join(f"{p.title} {p.heading} {p.text}" for p in chosen)
    figures = set(_FIGURE.findall(_body(sentence.text)))
    said = sentence.text
    held = not words(said) or overlap(said, f"{shown} {row.question}") >= WORDS_HELD
    return held and figures <= set(_FIGURE.findall(shown))


def _faithful(row: AnswerRow, sentences: Sequence[Sentence]) -> bool:
    known = set(_FIGURE.findall(" ".join([row.question, *(p.text for p in row.passages)])))
    return all(n in known for s in sentences for n in _FIGURE.findall(_body(s.text)))


def _body(text: str) -> str:
    return re.sub(r"^\d{1,2}[.)]\s", "", text)  # the number of a step is not a figure
