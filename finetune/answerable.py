"""``python -m finetune answerable``: what tells whether an article answers, weighed and measured.

Each question is asked as a turn asks it, up to the point where nothing has been written: what is
found, how much the answer model doubts that it can answer from it, and what the router makes of
the message. Logistic regression on some files of questions gives the weights of
``chatbot/answering/answerable.py``; others tell what each threshold would cost.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from chatbot.answering.answerable import answerable, features, matter, ours, probability
from chatbot.answering.fitting import fitted
from chatbot.answering.focus import focused
from chatbot.answering.opening import with_openings
from chatbot.desk import Desk
from chatbot.drafting import AFTER_FROM, ANSWERED_FROM, OURS_FROM
from chatbot.errors import BadInput
from chatbot.turn import PASSAGES
from chatbot.types import HistoryMessage
from finetune.turns_eval import Row, read_rows
from knowledge_base.query import search_queries

ABSTAINED = (0.80, 0.85, 0.90, 0.95)
"""Shares of the questions without an answer, for each of which a threshold is told."""
LOST = (0.05, 0.07, 0.10)
"""Shares of the questions with an answer that may get none, likewise."""
OURS_LOST = (0.01, 0.02, 0.03)
"""The same of those taken for nobody's matter."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a turn knows of a question before anything is written; ``odds`` and ``ours`` are as
    served, ``features`` and ``matter`` what their weights are for. ``after``: it was searched for
    together with the question before."""

    answers: bool
    odds: float
    features: tuple[float, ...]
    ours: float
    matter: tuple[float, ...]
    after: bool = False


async def observe(rows: Sequence[Row], desk: Desk) -> list[Seen]:
    """Of each row for which something is found and judged. Rows that expect neither an answer nor
    an abstention are left out."""
    seen = []
    for row in rows:
        if row.expect not in ("answer", "abstain"):
            continue
        screening, route = await desk.understand(row.question, row.history, {})
        history = [(message.role, message.text) for message in row.history]
        queries = search_queries(history, screening.redacted, desk.encoder)
        found = await desk.retrieve(queries, PASSAGES, ("public",))
        found = found or await desk.retrieve(queries, PASSAGES, ("public",), floor=False)
        fitting = fitted(found, screening.redacted, row.history)
        _, shown = focused(with_openings(fitting, screening.redacted, row.history))
        scores = sorted((score for p in fitting for _, score in p.units), reverse=True)
        alone = await desk.found_alone(queries, PASSAGES, ("public",))
        about = (fitting, route.out_of_scope_score, screening.redacted, alone)
        judged = matter(*about)
        if not scores or judged is None:
            continue
        share = await desk.doubt(screening.redacted, shown, row.history)
        odds = answerable(fitting, share)
        told = features(scores, share)
        after = alone is not None
        seen.append(Seen(row.expect == "answer", odds, told, ours(*about), judged, after))
    return seen


def after_questions(messages: Sequence[Row], questions: Sequence[Row]) -> list[Row]:
    """Each of ``messages`` once more, after one of the ``questions`` that begin a conversation and
    have an answer; drawn with a fixed seed."""
    first = [row for row in questions if row.expect == "answer" and not row.history]
    if not first:
        raise BadInput("no question with an answer begins a conversation")
    drawn = random.Random(5)
    return [
        replace(row, history=(HistoryMessage("customer", drawn.choice(first).question),))
        for row in messages
    ]


def weighed(seen: Sequence[Seen]) -> dict[str, list[float]]:
    """The weights of both judges of an answer and, where the engine doubts at all, of the reranker
    alone."""
    if len({one.answers for one in seen}) < 2:
        raise BadInput("questions with and without an answer are needed, at least one of each")
    found = {}
    for name, width in (("BOTH", 2), ("ALONE", 1)):
        if len(seen[0].features) >= width:
            inputs = [one.features[:width] for one in seen]
            found[name] = _weights(inputs, [one.answers for one in seen])
    return found


def weighed_apart(own: Sequence[Seen], elsewhere: Sequence[Seen]) -> list[float]:
    """The weights of ``OURS``, or of ``AFTER`` for what comes after a question: of what tells the
    company's questions, answered by an article or not, from messages about something else."""
    if not own or not elsewhere:
        raise BadInput("questions to the company and messages about something else are needed")
    inputs = [one.matter for one in (*own, *elsewhere)]
    return _weights(inputs, [True] * len(own) + [False] * len(elsewhere))


def _weights(inputs: Sequence[tuple[float, ...]], labels: Sequence[bool]) -> list[float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000).fit(inputs, labels)
    return [round(float(w), 3) for w in (*model.intercept_, *model.coef_[0])]


def costs(seen: Sequence[Seen]) -> dict[str, Any]:
    """What the threshold in force answers; area under the curve of each judge and of both as
    served; then two prices of a threshold: for shares of the questions without an answer that get
    none (``abstained``) the share of the others that get none (``lost``), and the other way
    round."""
    from sklearn.metrics import roc_auc_score

    labels = [one.answers for one in seen]
    without = sorted(one.odds for one in seen if not one.answers)
    answers = sorted(one.odds for one in seen if one.answers)
    found: dict[str, Any] = {
        "n": len(seen),
        f"answered from {ANSWERED_FROM}": {
            "of those with an answer": _share_from(answers, ANSWERED_FROM),
            "of those without": _share_from(without, ANSWERED_FROM),
        },
        "auc served": round(float(roc_auc_score(labels, [one.odds for one in seen])), 4),
    }
    columns = zip(*(one.features for one in seen), strict=True)
    for name, column in zip(("units", "model"), columns, strict=False):
        found[f"auc {name}"] = round(float(roc_auc_score(labels, column)), 4)
    for share in ABSTAINED:
        threshold = without[min(len(without), round(share * len(without))) - 1]
        lost = 1 - _share_from(answers, threshold, above=True)
        found[f"abstained {share:g}"] = {"above": round(threshold, 3), "lost": round(lost, 4)}
    for share in LOST:
        threshold = answers[max(0, round(share * len(answers)) - 1)]
        told = 1 - _share_from(without, threshold, above=True)
        found[f"lost {share:g}"] = {"above": round(threshold, 3), "abstained": round(told, 4)}
    return found


def costs_apart(own: Sequence[Seen], elsewhere: Sequence[Seen]) -> dict[str, Any]:
    """What both thresholds in force answer of messages about something else; area under the curve;
    then for shares of the questions with an answer that may be lost what each threshold would
    leave of such messages."""
    from sklearn.metrics import roc_auc_score

    labels = [True] * len(own) + [False] * len(elsewhere)
    area = roc_auc_score(labels, [one.ours for one in (*own, *elsewhere)])
    answers = sorted(one.ours for one in own if one.answers)

    def answered(threshold: float) -> float:
        kept = [one.ours >= threshold and one.odds >= ANSWERED_FROM for one in elsewhere]
        return round(sum(kept) / len(kept), 4)

    served = AFTER_FROM if own[0].after else OURS_FROM
    found: dict[str, Any] = {
        "n": len(elsewhere),
        "auc": round(float(area), 4),
        "answered by the odds alone": answered(0.0),
        f"answered from {served}": answered(served),
        f"lost at {served}": round(1 - _share_from(answers, served), 4),
    }
    for share in OURS_LOST:
        threshold = answers[round(share * len(answers))]
        found[f"lost {share:g}"] = {"from": round(threshold, 3), "answered": answered(threshold)}
    return found


def _share_from(odds: Sequence[float], threshold: float, *, above: bool = False) -> float:
    told = [one > threshold if above else one >= threshold for one in odds]
    return round(sum(told) / len(told), 4)


def _anew(seen: Sequence[Seen], weights: Sequence[float]) -> list[Seen]:
    return [replace(one, ours=probability(weights, one.matter)) for one in seen]


def answerable_command(
    data: Annotated[Path, typer.Option(exists=True, help="Questions to weigh by.")],
    dev: Annotated[Path, typer.Option(exists=True, help="Questions that tell the cost.")],
    elsewhere: Annotated[
        Path | None,
        typer.Option(exists=True, help="Messages about something else, to weigh by."),
    ] = None,
    elsewhere_dev: Annotated[
        Path | None, typer.Option(exists=True, help="Others, that tell the cost.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Data directory of the server.")] = None,
    company: Annotated[Path | None, typer.Option(help="Folder of the company.")] = None,
) -> None:
    """Weigh what tells whether an article answers, and whether a message is the company's."""
    from chatbot.loading import load_desk
    from chatbot.settings import load_settings

    async def run() -> dict[str, Any]:
        desk = load_desk(load_settings(data_dir=data_dir, company=company))
        try:
            own = {path: await observe(read_rows(path), desk) for path in {data, dev}}
            found: dict[str, Any] = {"weights": weighed(own[data])}
            found |= {"data": costs(own[data]), "dev": costs(own[dev])}
            if elsewhere is not None:
                priced = [("elsewhere", data, elsewhere)]
                if elsewhere_dev is not None:
                    priced.append(("elsewhere dev", dev, elsewhere_dev))
                found |= await _apart(desk, own, priced, found["weights"])
        finally:
            await desk.close()
        return found

    print(json.dumps(asyncio.run(run()), indent=1))


async def _apart(
    desk: Desk,
    own: Mapping[Path, Sequence[Seen]],
    priced: Sequence[tuple[str, Path, Path]],
    weights: dict[str, list[float]],
) -> dict[str, Any]:
    """What ``costs_apart`` tells of each (name, questions, messages), the first of which give the
    weights: of the messages by themselves, and after a question."""
    found: dict[str, Any] = {}
    for judge, after in (("OURS", False), ("AFTER", True)):
        for name, questions, path in priced:
            rows = read_rows(path)
            if after:
                rows = after_questions(rows, read_rows(questions))
            other = [one for one in await observe(rows, desk) if one.after == after]
            alike = [one for one in own[questions] if one.after == after]
            if after and not alike:
                continue  # questions without a conversation among them
            if judge not in weights:
                weights[judge] = weighed_apart(alike, other)
            told = f"{name} after a question" if after else name
            found[told] = costs_apart(alike, other)
            found[f"{told}, weighed anew"] = costs_apart(
                _anew(alike, weights[judge]), _anew(other, weights[judge])
            )
    return found
