"""How good are raw answers: right, supported, cited, abstaining - before any gate or fallback."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from chatbot.answering.engine import Engine
from finetune.answers_journal import Journal
from finetune.answers_judge import Judged, judge
from finetune.answers_rows import AnswerRow

AT_ONCE = 16
"""Answers that are written together; an engine that batches is several times faster so."""


async def judge_all(
    rows: Sequence[AnswerRow],
    engine: Engine,
    max_new_tokens: int = 160,
    done: Callable[[], None] = lambda: None,
    journal: Journal | None = None,
) -> list[Judged]:
    """Every row asked and judged, in order; ``done`` is called after each. What ``journal``
    knows is not asked again, and it is told of everything else."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, row: AnswerRow) -> Judged:
        known = journal.known.get(number) if journal is not None else None
        if known is not None:
            done()
            return known
        async with places:
            found = await judge(row, engine, max_new_tokens)
        if journal is not None:
            journal.add(number, found)
        done()
        return found

    return list(await asyncio.gather(*(one(n, row) for n, row in enumerate(rows))))


async def evaluate_generation(
    rows: Sequence[AnswerRow], engine: Engine, max_new_tokens: int = 160
) -> dict[str, Any]:
    """Shares in 0..1 over ``rows``, each asked with its own passages (``answers_judge``)."""
    started = time.monotonic()
    judged = await judge_all(rows, engine, max_new_tokens)
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for one in judged:
        by_kind[one.kind].append(one.right)
    due = [one for one in judged if one.due]
    answered = [one for one in judged if not one.due]
    spoken = [one for one in answered if not one.abstained]
    return {
        "n": len(rows),
        "right": _share([one.right for one in judged]),
        "right_answered": _share([one.right for one in answered]),
        "supported": _share([one.supported for one in judged if not one.abstained]),
        "cited": _share([one.cited for one in spoken]),
        "faithful_numbers": _share([one.faithful for one in spoken]),
        "abstained_right": _share([one.abstained for one in due]),
        "abstained_wrong": _share([one.abstained for one in answered]),
        "seconds_per_answer": round((time.monotonic() - started) / max(1, len(rows)), 2),
        "by_kind": {k: round(sum(v) / len(v), 3) for k, v in sorted(by_kind.items())},
        "answers": [
            {"question": one.question, "gold": row.answer, "answer": one.answer}
            | {"kind": one.kind, "right": one.right, "cited": bool(one.cited)}
            for row, one in zip(rows, judged, strict=True)
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


def _share(values: Sequence[bool | None]) -> float | None:
    return round(sum(map(bool, values)) / len(values), 4) if values else None
