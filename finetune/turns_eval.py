"""``finetune evaluate answers``: whole turns on labelled questions, judged by fixed rules.

The judge never asks the serving grounding head: a reply is right when every ``must`` matches
and no ``must_not`` does; it is supported when each of its numbers stands in an article that it
cites. Both are deterministic, so two runs of one model give the same figures.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chatbot.ask import one_turn
from chatbot.desk import Desk
from chatbot.errors import BadInput
from chatbot.steps import TurnRequest
from chatbot.types import HistoryMessage
from finetune.report import Section, write_report

EXPECTATIONS = ("answer", "abstain", "clarify", "handover", "refuse")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class Row:
    question: str
    expect: str
    kind: str
    articles: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    history: tuple[HistoryMessage, ...] = ()


@dataclass
class Judged:
    question: str
    expect: str
    kind: str
    outcome: str
    reply: str
    right: bool
    answered: bool
    supported: bool
    cited: bool
    quoted: bool
    words: int
    seconds: float
    first_sentence_s: float | None
    articles: list[str] = field(default_factory=list)


def read_rows(path: Path) -> list[Row]:
    """Raises BadInput naming line and field."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            expect = values.get("expect", "answer")
            if expect not in EXPECTATIONS:
                raise ValueError(f"'expect' is {expect!r}; use one of {', '.join(EXPECTATIONS)}")
            for pattern in [*values.get("must", ()), *values.get("must_not", ())]:
                re.compile(pattern)
            rows.append(
                Row(
                    question=values["question"],
                    expect=expect,
                    kind=values.get("type", "any"),
                    articles=tuple(values.get("articles", ())),
                    must=tuple(values.get("must", ())),
                    must_not=tuple(values.get("must_not", ())),
                    history=tuple(
                        HistoryMessage(turn["role"], turn["text"])
                        for turn in values.get("history", ())
                    ),
                )
            )
        except KeyError as error:
            raise BadInput(f"{path}, line {number}: {error.args[0]!r} is missing") from None
        except (ValueError, TypeError, AttributeError, re.error) as error:
            raise BadInput(f"{path}, line {number}: {error}") from None
    if not rows:
        raise BadInput(f"{path} holds no row")
    return rows


async def evaluate_turns(
    rows: Sequence[Row], desk: Desk, report: Callable[[int, int], None] = lambda done, total: None
) -> tuple[dict[str, Any], list[Judged]]:
    """Figures over all rows and by type, and every reply. One turn after another."""
    texts = desk.retriever.snapshot().articles
    judged = []
    for number, row in enumerate(rows, start=1):
        started = time.perf_counter()
        found = await one_turn(desk, TurnRequest(question=row.question, history=row.history))
        judged.append(judge(row, found, time.perf_counter() - started, texts))
        report(number, len(rows))
    return figures(judged), judged


def judge(row: Row, found: dict[str, Any], seconds: float, articles: Any) -> Judged:
    outcome = found["outcome"]
    # A held answer is judged by its draft: what the reviewer gets is the bot's work too.
    reply = f"{found['reply']} {found.get('draft', '')}".strip()
    citations = found["citations"]
    answered = outcome in ("answered", "quoted") or bool(found.get("draft"))
    cited = [c["article"] for c in citations] or [
        found["passages"][n - 1]["article"]
        for sentence in found["sentences"]
        for n in sentence["supported_by"]
    ]
    return Judged(
        question=row.question,
        expect=row.expect,
        kind=row.kind,
        outcome=outcome,
        reply=reply,
        right=_right(row, found, reply, answered),
        answered=answered,
        supported=_supported(reply, cited, articles),
        cited=bool(set(cited) & set(row.articles)),
        quoted=outcome == "quoted",
        words=len(reply.split()),
        seconds=round(seconds, 3),
        first_sentence_s=found.get("first_sentence_s"),
        articles=list(dict.fromkeys(cited)),
    )


def _right(row: Row, found: dict[str, Any], reply: str, answered: bool) -> bool:
    if any(re.search(pattern, reply, re.IGNORECASE) for pattern in row.must_not):
        return False
    if row.expect == "answer":
        return answered and all(re.search(p, reply, re.IGNORECASE) for p in row.must)
    if row.expect == "handover":
        return str(found["outcome"]).startswith("handed over") or found["action"] == "ask_slot"
    if row.expect == "clarify":
        return found["action"] == "clarify" or not answered
    return not answered


def _supported(reply: str, cited: Iterable[str], articles: Any) -> bool:
    """Every number of the reply stands in a cited article."""
    sources = " ".join(articles[name].text for name in cited if name in articles)
    known = set(_NUMBER.findall(sources))
    return set(_NUMBER.findall(reply)) <= known


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    wanted = [j for j in judged if j.expect == "answer"]
    unanswerable = [j for j in judged if j.expect == "abstain"]
    answered = [j for j in judged if j.answered]
    first = [j.first_sentence_s for j in judged if j.first_sentence_s is not None]
    by_type: dict[str, list[bool]] = defaultdict(list)
    for j in judged:
        by_type[j.kind].append(j.right)
    return {
        "right": _share([j.right for j in wanted]),
        "right_all": _share([j.right for j in judged]),
        "supported": _share([j.supported for j in answered]),
        "cited": _share([j.cited for j in wanted if j.answered]),
        "abstained_right": _share([not j.answered for j in unanswerable]),
        "abstained_wrong": _share([not j.answered for j in wanted]),
        "quoted": _share([j.quoted for j in answered]),
        "median_words": statistics.median([j.words for j in answered]) if answered else None,
        "median_seconds": round(statistics.median([j.seconds for j in judged]), 3),
        "median_first_sentence_s": round(statistics.median(first), 3) if first else None,
        "by_type": {name: _share(values) for name, values in sorted(by_type.items())},
        "n": len(judged),
    }


def _share(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def write_replies(path: Path, judged: Sequence[Judged]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(asdict(j), ensure_ascii=False) for j in judged)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def html_report(path: Path, found: dict[str, Any], judged: Sequence[Judged]) -> None:
    """An HTML page: the replies that are wrong, by type, then those that are right."""

    def shown(j: Judged) -> dict[str, Any]:
        return {
            "type": j.kind, "question": j.question, "expected": j.expect, "outcome": j.outcome,
            "reply": j.reply, "cites": j.articles, "supported": j.supported,
        }  # fmt: skip

    ordered = sorted(judged, key=lambda j: j.kind)
    wrong = [shown(j) for j in ordered if not j.right]
    right = [shown(j) for j in ordered if j.right]
    note = "Judged by each row's own expressions; a right answer in other words may be among them."
    write_report(
        path, "Answers", f"{len(judged)} whole turns, gate included.", found,
        [Section("Wrong", note, wrong), Section("Right", "", right, folded=True)],
    )  # fmt: skip


def run(rows: Sequence[Row], load: Callable[[], Desk], report: Any) -> Any:
    async def story() -> Any:
        desk = await asyncio.to_thread(load)
        try:
            return await evaluate_turns(rows, desk, report)
        finally:
            await desk.close()

    return asyncio.run(story())
