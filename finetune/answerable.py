"""``python -m finetune answerable``: what tells whether an article answers, weighed and measured.

Each question is asked as a turn asks it, up to the point where nothing has been written: what is
found, and how much the answer model doubts that it can answer from it. Logistic regression on some
files of questions gives the weights of ``chatbot/answering/answerable.py``; others tell what each
threshold would cost.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from chatbot.answering.answerable import answerable, features, probability
from chatbot.answering.fitting import fitted
from chatbot.answering.focus import focused
from chatbot.desk import Desk
from chatbot.drafting import ANSWERED_FROM
from chatbot.errors import BadInput
from chatbot.turn import PASSAGES
from finetune.turns_eval import Row, read_rows
from knowledge_base.query import search_queries

ABSTAINED = (0.80, 0.85, 0.90, 0.95)
"""Shares of the questions without an answer, for each of which a threshold is told."""
LOST = (0.05, 0.07, 0.10)
"""Shares of the questions with an answer that may get none, likewise."""


async def observe(rows: Sequence[Row], desk: Desk) -> list[tuple[float, ...]]:
    """For each row with something found: whether it has an answer (1 or 0), its probability as
    served, then the features. Rows that expect neither an answer nor an abstention are left out."""
    seen = []
    for row in rows:
        if row.expect not in ("answer", "abstain"):
            continue
        history = [(message.role, message.text) for message in row.history]
        queries = search_queries(history, row.question, desk.encoder)
        found = await desk.retrieve(queries, PASSAGES, ("public",))
        found = found or await desk.retrieve(queries, PASSAGES, ("public",), floor=False)
        passages, shown = focused(fitted(found, row.question, row.history))
        scores = sorted((score for p in passages for _, score in p.units), reverse=True)
        if not scores:
            continue
        doubt = await desk.doubt(row.question, shown, row.history)
        share = doubt.share if doubt else None
        served = answerable(passages, share)
        seen.append((float(row.expect == "answer"), served, *features(scores, share)))
    return seen


def weighed(seen: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """The weights of both judges and, where the engine doubts at all, of the reranker alone."""
    from sklearn.linear_model import LogisticRegression

    labels = [one[0] for one in seen]
    if len(set(labels)) < 2:
        raise BadInput("questions with and without an answer are needed, at least one of each")
    found = {}
    for name, width in (("BOTH", 3), ("ALONE", 2)):
        if len(seen[0]) < 2 + width:
            continue
        model = LogisticRegression(C=1.0, class_weight="balanced").fit(
            [one[2 : 2 + width] for one in seen], labels
        )
        found[name] = [round(float(w), 3) for w in (*model.intercept_, *model.coef_[0])]
    return found


def costs(seen: Sequence[Sequence[float]]) -> dict[str, Any]:
    """What the threshold in force answers; area under the curve of each judge and of both as
    served; then two prices of a threshold, where rows of both kinds are there: for
    shares of the questions without an answer that get none (``abstained``) the share of the others
    that get none (``lost``), and the other way round."""
    from sklearn.metrics import roc_auc_score

    labels = [one[0] for one in seen]
    names = ("served", "best", "second", "model")
    columns = list(zip(*(one[1:] for one in seen), strict=True))
    without = sorted(one[1] for one in seen if not one[0])
    answers = sorted(one[1] for one in seen if one[0])
    found: dict[str, Any] = {
        "n": len(seen),
        f"answered from {ANSWERED_FROM}": {
            "of those with an answer": _share_from(answers),
            "of those without": _share_from(without),
        },
    }
    if not answers or not without:
        return found
    for name, column in zip(names, columns, strict=False):
        found[f"auc {name}"] = round(float(roc_auc_score(labels, column)), 4)
    for share in ABSTAINED:
        threshold = without[min(len(without), round(share * len(without))) - 1]
        lost = sum(value <= threshold for value in answers) / len(answers)
        found[f"abstained {share:g}"] = {"above": round(threshold, 3), "lost": round(lost, 4)}
    for share in LOST:
        threshold = answers[max(0, round(share * len(answers)) - 1)]
        told = sum(value <= threshold for value in without) / len(without)
        found[f"lost {share:g}"] = {"above": round(threshold, 3), "abstained": round(told, 4)}
    return found


def _share_from(odds: Sequence[float]) -> float | None:
    return round(sum(one >= ANSWERED_FROM for one in odds) / len(odds), 4) if odds else None


def answerable_command(
    data: Annotated[
        list[Path], typer.Option(exists=True, help="Questions to weigh by; may be repeated.")
    ],
    dev: Annotated[
        list[Path], typer.Option(exists=True, help="Questions that tell the cost, likewise.")
    ],
    data_dir: Annotated[Path | None, typer.Option(help="Data directory of the server.")] = None,
    company: Annotated[Path | None, typer.Option(help="Folder of the company.")] = None,
) -> None:
    """Weigh what tells whether an article answers at all: reranker and answer model."""
    from chatbot.loading import load_desk
    from chatbot.settings import load_settings

    async def run() -> dict[str, Any]:
        desk = load_desk(load_settings(data_dir=data_dir, company=company))
        try:
            seen = {path: await observe(read_rows(path), desk) for path in {*data, *dev}}
        finally:
            await desk.close()
        train = [one for path in data for one in seen[path]]
        found: dict[str, Any] = {"weights": weighed(train)}
        weights = found["weights"].get("BOTH")
        for path in dict.fromkeys((*dev, *data)):
            found[str(path)] = costs(seen[path])
            if weights:
                anew = [(one[0], probability(weights, one[2:]), *one[2:]) for one in seen[path]]
                found[f"{path}, weighed anew"] = costs(anew)
        return found

    print(json.dumps(asyncio.run(run()), indent=1))
