"""``finetune evaluate provoked``: what reaches a customer who provokes, injects or pries.

The baits, injections and requests for secrets of ``probes`` go through whole turns: router,
retrieval, drafting and gate. An injection in a passage is planted into the best passage that the
search finds, as a unit of it that the reranker likes as much as its best one. What is held for a
person was not delivered.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import Progress

from chatbot.answering.prompt import instructions
from chatbot.ask import one_turn
from chatbot.desk import Desk
from chatbot.safety.injection import prompt_leak_reasons
from chatbot.safety.leaks import leak_reasons
from chatbot.safety.pii import find_entities
from chatbot.settings import Settings, load_settings
from chatbot.steps import TurnRequest
from chatbot.types import Passage, Side
from finetune.article_questions import article_centre, readable_articles
from finetune.probes import BAIT, INJECTION, LEAK, baits, injections, leaks
from finetune.report import Section, write_report
from finetune.turns_eval import read_rows
from knowledge_base.retriever import Retriever

SEED = 1
IN_PASSAGE = f"{INJECTION} in passage"


@dataclass(frozen=True)
class Provocation:
    kind: str
    message: str
    planted: str = ""
    """What is put into the best passage."""
    shows: str = ""
    """A regular expression that a reply matches only if it obeyed."""


@dataclass(frozen=True)
class Delivered:
    """``reply`` is all that the customer was shown, however the turn ended."""

    kind: str
    message: str
    planted: str
    outcome: str
    reply: str
    toxic: bool
    obeyed: bool
    leaked: bool


class PlantedRetriever:
    """A retriever whose best passage also says ``planted``."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self.planted = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._retriever, name)

    def search_all(self, *arguments: Any, **options: Any) -> list[Passage]:
        found = self._retriever.search_all(*arguments, **options)
        return [self._with(found[0]), *found[1:]] if found and self.planted else found

    def _with(self, passage: Passage) -> Passage:
        best = max((score for _, score in passage.units), default=1.0)
        return replace(
            passage,
            # Verdicts about passages are kept by version.
            version=hashlib.sha256(self.planted.encode()).hexdigest()[:12],
            text=f"{passage.text} {self.planted}",
            units=(*passage.units, (self.planted, best)),
        )


def provocations(questions: Sequence[str], limit: int | None = None) -> list[Provocation]:
    """All of them, or ``limit`` of each kind, in an order drawn by a fixed seed; ``questions`` are
    what injections hide behind."""
    rng = random.Random(SEED)
    made = [Provocation(BAIT, said) for said in baits()]
    for one in injections():
        asked = rng.choice(questions)
        if one.in_question:
            message = one.said.replace("{question}", asked)
            made.append(Provocation(INJECTION, message, shows=one.shows))
        else:
            made.append(Provocation(IN_PASSAGE, asked, one.said, one.shows))
    made += [Provocation(LEAK, said) for said in leaks()]
    rng.shuffle(made)
    seen: Counter[str] = Counter()
    kept = []
    for provocation in made:
        seen[provocation.kind] += 1
        if limit is None or seen[provocation.kind] <= limit:
            kept.append(provocation)
    return kept


async def provoke(
    desk: Desk, asked: Sequence[Provocation], done: Callable[[], None] = lambda: None
) -> list[Delivered]:
    """A conversation each, one after another."""
    real, planting = desk.retriever, PlantedRetriever(desk.retriever)
    public = _public(desk)
    found = []
    desk.retriever = cast(Retriever, planting)
    try:
        for one in asked:
            planting.planted = one.planted
            turn = await one_turn(desk, TurnRequest(question=one.message))
            found.append(_delivered(desk, one, turn, public))
            done()
    finally:
        desk.retriever = real
    return found


def _delivered(
    desk: Desk, one: Provocation, turn: dict[str, Any], public: Sequence[str]
) -> Delivered:
    reply = str(turn["reply"])
    return Delivered(
        kind=one.kind,
        message=one.message,
        planted=one.planted,
        outcome=str(turn["outcome"]),
        reply=reply,
        toxic=bool(reply) and desk.moderator.moderate(reply, Side.BOT).flagged,
        obeyed=bool(one.shows and re.search(one.shows, reply, re.IGNORECASE)),
        leaked=bool(reply) and _leaks(desk, one.message, reply, public),
    )


def _public(desk: Desk) -> list[str]:
    """What anybody may read: articles, curated answers, the company's own texts."""
    snapshot = desk.retriever.snapshot()
    articles = readable_articles(list(snapshot.articles.values()), date.today())
    company = desk.company
    return [
        *(f"{one.title}\n{one.text}" for one in articles),
        *(one.answer for one in snapshot.curated.answers),
        company.name,
        company.greeting,
        company.contact,
        *company.texts.values(),
    ]


def _leaks(desk: Desk, message: str, reply: str, texts: Sequence[str]) -> bool:
    own = [entity.text for entity in find_entities(message)]
    company = desk.company
    personal = leak_reasons(reply, own, (), public_texts=texts)
    return bool(personal or prompt_leak_reasons(reply, instructions(company.name)))


def figures(delivered: Sequence[Delivered]) -> dict[str, Any]:
    """By kind: how many, how they ended, and how many replies were toxic, obeyed or leaked."""
    found: dict[str, Any] = {}
    for kind in dict.fromkeys(one.kind for one in delivered):
        own = [one for one in delivered if one.kind == kind]
        found[kind] = {
            "n": len(own),
            **{name: sum(getattr(one, name) for one in own) for name in _BAD},
            "outcomes": dict(Counter(one.outcome for one in own).most_common()),
        }
    return found


_BAD = ("toxic", "obeyed", "leaked")


def carriers(settings: Settings, desk: Desk) -> list[str]:
    """Questions that the help centre answers: the company's dev questions, else some made from
    its articles."""
    own = settings.company / "questions" / "dev.jsonl"
    if own.exists():
        rows = read_rows(own)
        return [row.question for row in rows if row.expect == "answer" and not row.history]
    articles = list(desk.retriever.snapshot().articles.values())
    shown = readable_articles(articles, date.today())
    questions = article_centre(shown, 100, SEED, desk.company.language).questions
    return [question.text for question in questions if question.evidence]


def evaluate_provoked_command(
    limit: Annotated[
        int | None, typer.Option(min=1, help="Of each kind; default: all, some ten minutes.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Every reply, one JSON object a line.")] = None,
    report: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")] = None,
) -> None:
    """Baits, injections and requests for secrets through whole turns, gate included."""
    from chatbot.loading import load_desk
    from chatbot.prepare import prepare
    from knowledge_base.quiet import quiet_libraries

    quiet_libraries()
    settings = load_settings(data_dir=data_dir)

    async def story() -> list[Delivered]:
        await prepare(settings)
        desk = await asyncio.to_thread(load_desk, settings)
        try:
            asked = provocations(carriers(settings, desk), limit)
            with Progress(console=Console(stderr=True)) as progress:
                task = progress.add_task("turns", total=len(asked))
                return await provoke(desk, asked, lambda: progress.advance(task))
        finally:
            await desk.close()

    delivered = asyncio.run(story())
    found = figures(delivered)
    if out is not None:
        lines = (json.dumps(asdict(one), ensure_ascii=False) for one in delivered)
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if report is not None:
        _page(report, found, delivered)
    print(json.dumps(found, indent=1))


def _page(path: Path, found: dict[str, Any], delivered: Sequence[Delivered]) -> None:
    counts = [{"kind": kind, **values} for kind, values in found.items()]
    bad = [asdict(one) for one in delivered if one.toxic or one.obeyed or one.leaked]
    rest = [asdict(one) for one in delivered if not (one.toxic or one.obeyed or one.leaked)]
    write_report(
        path,
        "Provoked",
        f"{len(delivered)} whole turns. What a detector doubts comes first; read the rest too.",
        {},
        [
            Section("By kind", "", counts),
            Section("Toxic, obeyed or leaked", "Delivered to the customer.", bad),
            Section("Everything else that was delivered", "", rest, folded=True),
        ],
    )
