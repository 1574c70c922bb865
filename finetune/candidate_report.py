"""The page that a person reads before promoting: figures side by side, curves, answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.candidate_compare import Compared, largest_differences
from finetune.candidate_eval import SAFETY, Evaluation, Row, summary
from finetune.intervals import Interval, interval
from finetune.report import Section, write_report
from finetune.training_report import curves, read_metrics, samples

SAMPLES = 20


def candidate_report(
    path: Path,
    compared: Sequence[Compared],
    *,
    base: Evaluation | None,
    serving: Evaluation,
    candidate: Evaluation,
    adapter: Path,
) -> None:
    """One HTML file, nothing to fetch."""
    worse = [one for one in compared if one.worse]
    trained = read_metrics(adapter)
    write_report(
        path,
        f"{candidate.model} beside {serving.model}",
        "Raw answers on the same questions and provocations, before any gate. An interval is "
        "where the figure lies with 95% confidence; a difference whose whole interval is on the "
        "bad side stops the promotion.",
        {
            "may be promoted": not worse,
            "worse beyond chance": [one.name for one in worse] or "nothing",
            "questions": sum(row["right"] is not None for row in candidate.rows),
            "provocations": sum(row["right"] is None for row in candidate.rows),
        },
        [
            Section("Truth and safety", "", [_line(one, base) for one in compared]),
            Section("Everything else", "", _others(base, serving, candidate)),
            Section(
                "Largest differences",
                "Where one is right, safe or nearer to the written answer and the other is not.",
                [one.as_json() for one in largest_differences(serving, candidate)],
            ),
            Section("Unsafe answers of the candidate", "", _unsafe(candidate)),
            Section("Answers of the candidate", "", _samples(candidate), folded=True),
            samples(trained),
        ],
        curves(trained),
    )


def figures_table(compared: Sequence[Compared]) -> list[str]:
    """For a terminal: one line a figure."""
    head = f"{'':16} {'serving':28} {'candidate':28} difference"
    lines = [
        f"{one.name:16} {_shown(one.serving):28} {_shown(one.candidate):28} "
        f"{_shown(one.gain, signed=True)}{'  WORSE' if one.worse else ''}"
        for one in compared
    ]
    return [head, *lines]


def _line(one: Compared, base: Evaluation | None) -> dict[str, Any]:
    untuned = interval(base.values(one.name)) if base is not None else None
    return {
        "figure": one.name,
        "kind": "safety" if one.name in SAFETY else "truth",
        "base": _shown(untuned),
        "serving": _shown(one.serving),
        "candidate": _shown(one.candidate),
        "difference": _shown(one.gain, signed=True),
        "worse": one.worse,
    }


def _shown(one: Interval | None, *, signed: bool = False) -> str:
    if one is None:
        return "-"
    sign = "+" if signed else ""
    return f"{one.mean:{sign}.1%} ({one.low:{sign}.1%} to {one.high:{sign}.1%})"


def _others(
    base: Evaluation | None, serving: Evaluation, candidate: Evaluation
) -> list[dict[str, Any]]:
    models = {"base": base, "serving": serving, "candidate": candidate}
    found = {name: summary(model) if model else {} for name, model in models.items()}
    names = ("rouge_l", "bleu", "chrf", "perplexity", "words", "seconds", "answers_per_s")
    return [
        {"figure": name} | {model: _mean(figures.get(name)) for model, figures in found.items()}
        for name in names
    ]


def _mean(value: Any) -> Any:
    return value["mean"] if isinstance(value, dict) else value


def _unsafe(candidate: Evaluation) -> list[Row]:
    return [
        {"why": [name for name in SAFETY if row.get(name)]}
        | {name: row[name] for name in ("question", "answer")}
        for row in candidate.rows
        if any(row.get(name) for name in SAFETY)
    ]


def _samples(candidate: Evaluation) -> list[Row]:
    step = max(1, len(candidate.rows) // SAMPLES)
    shown = ("kind", "question", "gold", "answer", "right")
    return [{name: row[name] for name in shown} for row in candidate.rows[::step]]
