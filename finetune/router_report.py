"""``report.html`` beside a trained router: what it confuses, and which rows to look at."""

from __future__ import annotations

import base64
import html
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from chatbot.types import Prediction
from finetune import router_plots
from finetune.router_card import NAMES
from finetune.router_data import RouterRow
from finetune.router_metrics import chosen

SHOWN = 100  # rows of a list; metrics.json has them all
NOT_SHOWN = "(a borrowed row)"

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2rem .5rem;"
    "text-align:left;vertical-align:top}img{max-width:100%}"
)


def report_page(
    rows: Sequence[RouterRow],
    predictions: Sequence[Prediction],
    metrics: dict[str, Any],
    *,
    multi_label: bool,
) -> str:
    """One self-contained page. ``rows`` are the dev rows that ``predictions`` concern."""
    inside = [(r, p) for r, p in zip(rows, predictions, strict=True) if not r.out_of_scope]
    wrong = [
        (row, guess)
        for row, p in inside
        if (guess := chosen(p, multi_label)) != frozenset(row.intents)
    ]
    parts = ["<h1>Router</h1>", "<h2>Figures on the dev rows</h2>", _figures(metrics)]
    if inside and not multi_label:
        pairs = [(r.intents[0], p.intent) for r, p in inside]
        confidence = np.array([p.confidence for _, p in inside])
        right = np.array([true == guessed for true, guessed in pairs])
        parts += [
            "<h2>Confusion</h2>",
            _picture(router_plots.confusion(pairs), "confusion matrix"),
            _confusions(pairs),
            "<h2>Confidence</h2>",
            _picture(router_plots.reliability(confidence, right), "reliability"),
        ]
    if any(r.out_of_scope for r in rows):
        parts += [
            "<h2>Out of scope: what a stricter threshold costs</h2>",
            _picture(router_plots.trade_off(metrics["scope_trade_off"]), "trade-off"),
        ]
    parts += [
        "<h2>Training rows that look mislabelled</h2>",
        "<p>A model that has not seen the row doubts its label, most doubtful first.</p>",
        _table(
            ("row", "text", "label", "looks like", "probability of the label"),
            [
                (
                    d["row"],
                    d["text"] or NOT_SHOWN,
                    _set(d["intent"]),
                    _set(d["suggested"]),
                    d["score"],
                )
                for d in metrics["look_mislabelled"][:SHOWN]
            ],
        ),
        "<h2>Dev rows that are wrong</h2>",
        _table(
            ("row", "text", "label", "guessed"),
            [
                (r.number, r.shown or NOT_SHOWN, _set(r.intents), _set(sorted(g)))
                for r, g in wrong[:SHOWN]
            ],
        ),
    ]
    if metrics["notes"]:
        parts += ["<h2>Rows to look at</h2>", _table(("",), [(n,) for n in metrics["notes"]])]
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Router</title>'
        f"<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</html>\n"
    )


def _figures(metrics: dict[str, Any]) -> str:
    shown = [
        (NAMES[name], f"{value:.4f}" if isinstance(value, float) else value)
        for name, value in metrics["dev"].items()
        if value is not None
    ]
    if metrics["frozen_accuracy"] is not None:
        name = "accuracy of the untrained encoder with logistic regression, training rows"
        shown.append((name, f"{metrics['frozen_accuracy']:.4f}"))
    return _table(("figure", "value"), shown)


def _confusions(pairs: Sequence[tuple[str, str]]) -> str:
    counts = Counter(pair for pair in pairs if pair[0] != pair[1])
    rows = [(true, guessed, count) for (true, guessed), count in counts.most_common(20)]
    return _table(("true", "guessed", "rows"), rows)


def _set(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    cells = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]
    titles = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    return f"<table><tr>{titles}</tr>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _picture(png: bytes, name: str) -> str:
    encoded = base64.b64encode(png).decode("ascii")
    return f'<p><img alt="{name}" src="data:image/png;base64,{encoded}"></p>'
