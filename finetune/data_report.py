"""What a person reads before training on data: how much is left, of what, and what was dropped."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.answers_rows import AnswerRow
from finetune.chat_filters import Dropped
from finetune.report import Section, write_report

SAMPLES = 30


def data_report(
    path: Path,
    report: Mapping[str, Any],
    dropped: Dropped,
    splits: Mapping[str, Sequence[AnswerRow]],
) -> None:
    """One HTML file: figures, lengths of each split, examples of every reason, rows to read."""
    write_report(
        path,
        "Training data",
        "What shares a conversation or an article is in one split. Questions of evaluation files "
        "were left out. An answer counts only if its passages say each of its claims.",
        report,
        [
            Section("Splits", "", [_line(name, rows) for name, rows in splits.items()]),
            *(
                Section(f"Dropped: {reason}", "Some of them.", dropped.examples[reason])
                for reason in dropped.counts
            ),
            Section("Rows to read", "", [_row(row) for row in splits["train"][:SAMPLES]]),
        ],
    )


def _line(name: str, rows: Sequence[AnswerRow]) -> dict[str, Any]:
    words = [len(row.answer.split()) for row in rows]
    return {
        "split": name,
        "rows": len(rows),
        "median answer (words)": statistics.median(words) if words else None,
        "longest answer (words)": max(words, default=0),
        "abstentions": sum(row.abstains for row in rows),
        "with history": sum(bool(row.history) for row in rows),
    }


def _row(row: AnswerRow) -> dict[str, Any]:
    shown = "\n".join(f"[{n}] {p.title}: {p.text}" for n, p in enumerate(row.passages, 1))
    return {"question": row.question, "passages": shown, "answer": row.answer}
