"""How good are raw answers: right, cited, abstaining - before any gate or fallback."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from chatbot.answering.composer import Composer
from chatbot.answering.engine import Engine
from chatbot.types import Sentence, SentenceKind
from finetune.answers_rows import AnswerRow

AT_ONCE = 16
"""Answers that are written together; an engine that batches is several times faster so."""
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*%?")


async def evaluate_generation(
    rows: Sequence[AnswerRow], engine: Engine, max_new_tokens: int = 160
) -> dict[str, Any]:
    """Shares in 0..1 over ``rows``, each asked with its own passages:

    right            every ``must`` matches (without any: every number of the gold answer and
                     0.6 of its words), or the abstention where that is due
    cited            of answered rows: the passages named are exactly ``gold``
    abstained_right  of rows without an answer
    abstained_wrong  of rows with one
    faithful_numbers of answered rows: every number stands in the passages or the question
    """
    started = time.monotonic()
    places = asyncio.Semaphore(AT_ONCE)

    async def judge(row: AnswerRow) -> dict[str, Any]:
        async with places:
            return await _judge(row, engine, max_new_tokens)

    judged = await asyncio.gather(*(judge(row) for row in rows))
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for row, result in zip(rows, judged, strict=True):
        by_kind[row.kind].append(result["right"])
    due = [r for row, r in zip(rows, judged, strict=True) if row.abstains]
    answered = [r for row, r in zip(rows, judged, strict=True) if not row.abstains]
    spoken = [r for r in answered if not r["abstained"]]
    return {
        "n": len(rows),
        "right": _share(judged, "right"),
        "right_answered": _share(answered, "right"),
        "cited": _share(spoken, "cited"),
        "faithful_numbers": _share(spoken, "faithful"),
        "abstained_right": _share(due, "abstained"),
        "abstained_wrong": _share(answered, "abstained"),
        "seconds_per_answer": round((time.monotonic() - started) / max(1, len(rows)), 2),
        "by_kind": {k: round(sum(v) / len(v), 3) for k, v in sorted(by_kind.items())},
        "answers": [
            {"question": row.question, "gold": row.answer, "answer": result["answer"]}
            | {"kind": row.kind, "right": result["right"], "cited": result["cited"]}
            for row, result in zip(rows, judged, strict=True)
        ],
    }


def evaluate(
    rows: Sequence[AnswerRow], engine: Engine, max_new_tokens: int = 160
) -> dict[str, Any]:
    """``evaluate_generation`` for a caller without an event loop; closes the engine."""

    async def run() -> dict[str, Any]:
        try:
            return await evaluate_generation(rows, engine, max_new_tokens)
        finally:
            await engine.close()

    return asyncio.run(run())


async def _judge(row: AnswerRow, engine: Engine, max_new_tokens: int) -> dict[str, Any]:
    composer = Composer(engine, row.company, max_new_tokens)
    sentences: list[Sentence] = [
        sentence
        async for sentence in composer.compose(row.question, row.as_passages(), row.history)
    ]
    answer = " ".join(sentence.text for sentence in sentences)
    abstained = any(s.kind is SentenceKind.ABSTENTION for s in sentences) or not sentences
    cited = {number for sentence in sentences for number in sentence.cited}
    known = set(_FIGURE.findall(" ".join([row.question, *(p.text for p in row.passages)])))
    return {
        "answer": answer,
        "abstained": abstained,
        "right": abstained if row.abstains else not abstained and _right(row, answer),
        "cited": cited == set(row.gold),
        "faithful": all(n in known for s in sentences for n in _FIGURE.findall(_body(s.text))),
    }


def _right(row: AnswerRow, answer: str) -> bool:
    if row.must:
        return all(re.search(pattern, answer, re.IGNORECASE) for pattern in row.must)
    gold = re.sub(r"\[\d+\]", "", row.answer)
    figures = set(_FIGURE.findall(gold))
    words, said = set(re.findall(r"\w+", gold.lower())), set(re.findall(r"\w+", answer.lower()))
    return figures <= set(_FIGURE.findall(answer)) and len(words & said) >= 0.6 * len(words)


def _body(text: str) -> str:
    return re.sub(r"^\d{1,2}[.)]\s", "", text)  # the number of a step is not a figure


def _share(results: Sequence[dict[str, Any]], name: str) -> float | None:
    return round(sum(bool(r[name]) for r in results) / len(results), 4) if results else None
