"""``finetune evaluate grounding``: how often the check is right, and where it is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from chatbot.safety.grounding import WEIGHTS, evidence_text, verbatim
from chatbot.safety.grounding_claim import Claim
from chatbot.safety.grounding_compare import Comparison, compare
from chatbot.safety.grounding_head import GroundingHead
from chatbot.safety.grounding_units import read_passage
from finetune.grounding_corrupt import HELD_OUT
from finetune.grounding_rows import GroundingRow, read_rows
from finetune.report import Section, write_report
from knowledge_base.encoder import DEFAULT_ENCODER, EncoderFiles

EVALUATED_AT_ONCE = 32  # rows of one forward pass
SHOWN_MISTAKES = 60


@dataclass(frozen=True, slots=True)
class Read:
    """A row with what the rules see in it."""

    row: GroundingRow
    claim: Claim
    compared: Comparison
    evidence: str


def read(row: GroundingRow) -> Read:
    """What serving would compute of a row before the network is asked."""
    passage = read_passage(row.passage)
    claim = Claim.of(row.claim)
    compared = compare(claim, passage)
    return Read(row, claim, compared, evidence_text(passage, compared))


def evaluate_grounding(model_dir: Path, rows: Sequence[GroundingRow]) -> dict[str, Any]:
    """Balanced accuracy, recall of supported claims and false support, over all and by kind.

    ``rows`` as ``finetune.grounding_rows.read_rows`` gives them.
    """
    return evaluated(GroundingHead.load(model_dir, EncoderFiles(DEFAULT_ENCODER)), rows)


def evaluate_grounding_command(
    data: Annotated[
        Path, typer.Option(help="JSONL: claim, passage {title,heading,text}, supported.")
    ],
    model: Annotated[Path | None, typer.Option(help="Folder of a head; default: served.")] = None,
    report: Annotated[Path | None, typer.Option(help="HTML page to write, failures first.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure the grounding check on labelled rows."""
    figures = evaluate_grounding(model or WEIGHTS, read_rows(data))
    if report is not None:
        note = "Supported claims that were dropped, and unsupported ones that passed."
        section = Section("Mistakes", note, figures["mistakes"])
        write_report(report, "Grounding check", str(data.name), figures["headline"], [section])
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures["headline"].items():
        print(f"{name:32} {value:.4f}" if isinstance(value, float) else f"{name:32} {value}")
    for mistake in figures["mistakes"]:
        print(f"- {'dropped' if mistake['supported'] else 'passed'}: {mistake['claim']}")


def evaluated(head: GroundingHead, rows: Sequence[GroundingRow]) -> dict[str, Any]:
    """As ``evaluate_grounding``, with a head that is loaded already."""
    passed: dict[str, list[bool]] = {}
    labels: dict[str, int] = {}
    mistakes: list[dict[str, Any]] = []
    for item, score in _scored(head, rows):
        row, supported = item.row, score >= head.threshold
        kind = (
            row.kind if labels.setdefault(row.kind, row.label) == row.label else f"not {row.kind}"
        )
        labels[kind] = row.label
        passed.setdefault(kind, []).append(supported)
        if supported != bool(row.label) and not row.borrowed:
            mistakes.append(
                {"claim": row.claim, "supported": bool(row.label), "kind": row.kind,
                 "score": round(score, 3), "problems": item.compared.problems,
                 "passage": row.passage.text[:300]}
            )  # fmt: skip

    def rate(wanted: Sequence[str]) -> float | None:
        found = [value for kind in wanted for value in passed.get(kind, ())]
        return round(sum(found) / len(found), 4) if found else None

    true = [kind for kind in passed if labels[kind]]
    false = [kind for kind in passed if not labels[kind]]
    unseen = [kind for kind in false if kind.split(":")[-1] in HELD_OUT]
    human = [kind for kind in false if kind.startswith("human:")]
    headline: dict[str, Any] = {
        "n": len(rows),
        "recall_supported": rate(true),
        "false_support": rate(false),
        "balanced_accuracy": _balanced(rate(true), rate(false)),
        "balanced_accuracy_unseen_types": _balanced(rate(true), rate(unseen)),
        "human_recall": rate(["human"]),
        "human_balanced_accuracy": _balanced(rate(["human"]), rate(human)),
        "paraphrase_recall": rate([k for k in true if k != "copy"]),
    }
    return {
        "headline": {name: value for name, value in headline.items() if value is not None},
        "passed_by_kind": {
            kind: [round(sum(v) / len(v), 4), len(v), labels[kind]]
            for kind, v in sorted(passed.items())
        },
        "mistakes": mistakes[:: max(1, len(mistakes) // SHOWN_MISTAKES)],
    }


def logits(head: GroundingHead, items: Sequence[Read]) -> NDArray[np.float64]:
    """What the network says of each row, shape (len(items),)."""
    order = sorted(
        range(len(items)), key=lambda i: len(items[i].claim.text) + len(items[i].evidence)
    )  # like lengths together: little padding
    values = np.zeros(len(items))
    for start in range(0, len(order), EVALUATED_AT_ONCE):
        part = order[start : start + EVALUATED_AT_ONCE]
        values[part] = head.logits([(items[i].claim.text, items[i].evidence) for i in part])
    return values


def _scored(head: GroundingHead, rows: Sequence[GroundingRow]) -> list[tuple[Read, float]]:
    """What ``GroundingChecker.check`` gives with the row's one passage, in large batches."""
    items = [read(row) for row in rows]
    asked = [i for i, item in enumerate(items) if not item.compared.problems]
    scores = [0.0] * len(items)
    for i, logit in zip(asked, logits(head, [items[i] for i in asked]), strict=True):
        scores[i] = head.probability(float(logit), items[i].compared.features)
    for i, item in enumerate(items):
        if verbatim(item.claim, read_passage(item.row.passage)):
            scores[i] = 1.0
    return list(zip(items, scores, strict=True))


def _balanced(recall: float | None, false_support: float | None) -> float | None:
    if recall is None or false_support is None:
        return None
    return round((recall + 1 - false_support) / 2, 4)
