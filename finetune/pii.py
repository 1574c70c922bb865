"""``python -m finetune pii``: the tagger that finds names, addresses and telephone numbers.

Thresholds come from dev rows, whose patterns and templates no weight has seen. What it is worth
together with the patterns is measured by ``tests/safety/test_pii.py`` on sets of their own.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chatbot.safety.pii_tagger import LABELS, SETTINGS, TENSORS, WEIGHTS, PersonalTagger
from chatbot.types import Entity
from finetune.pii_rows import DATA, OUTSIDE_FAMILY, Amounts, Tagged, read_rows
from finetune.pii_train import Recipe, train
from knowledge_base.encoder import EncoderFiles

SERVED: Final = ("person_name", "address", "postcode", "phone")
STEPS: Final = (*(round(0.5 + 0.05 * i, 2) for i in range(10)), 0.97, 0.98, 0.99)
"""Thresholds to choose from."""
ALARMS: Final = 0.05


def train_tagger(
    data: Path = DATA,
    data_root: Path | None = None,
    out: Path = WEIGHTS,
    seed: int = 0,
    recipe: Recipe | None = None,
    amounts: Amounts | None = None,
) -> dict[str, Any]:
    """Trains into ``out`` (weights, settings, metrics.json, card.md). Returns the metrics."""
    from safetensors.torch import save_file

    started = time.monotonic()
    files = EncoderFiles()
    rows = read_rows(data, data_root, amounts, seed)
    learnt = [row for row in rows if row.split == "train"]
    dev = [row for row in rows if row.split == "dev"]
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    recipe = recipe or Recipe()
    _, tensors = train(learnt, files, recipe, checkpoint, seed)
    save_file(tensors, out / TENSORS)
    (out / TENSORS).chmod(0o644)  # safetensors writes 0600: no package data
    about = {
        "train_rows": len(learnt),
        "outside_rows": sum(row.family.startswith(OUTSIDE_FAMILY) for row in learnt),
        "recipe": asdict(recipe),
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
    }
    metrics = _calibrated(dev, out, files, about)
    checkpoint.unlink(missing_ok=True)
    return metrics


def recalibrate(
    out: Path = WEIGHTS, data: Path = DATA, data_root: Path | None = None
) -> dict[str, Any]:
    """Thresholds, metrics and card of trained weights, from the dev rows as they are now."""
    about = json.loads((out / "metrics.json").read_text("utf-8"))
    dev = [row for row in read_rows(data, data_root, seed=about["seed"]) if row.split == "dev"]
    return _calibrated(dev, out, EncoderFiles(), about)


def _calibrated(
    dev: Sequence[Tagged], out: Path, files: EncoderFiles, about: dict[str, Any]
) -> dict[str, Any]:
    _write_settings(out, files, dict.fromkeys(SERVED, 0.0))
    tagger = PersonalTagger.load(files, out)
    found = [tagger.find(row.text) for row in dev]
    thresholds = {label: best_threshold(label, dev, found) for label in SERVED}
    _write_settings(out, files, thresholds)
    apart = [i for i, row in enumerate(dev) if row.family.startswith(OUTSIDE_FAMILY)]
    outside, told = [dev[i] for i in apart], [found[i] for i in apart]
    metrics = about | {
        "dev_rows": len(dev),
        "thresholds": thresholds,
        "dev": {label: figures(label, dev, found, thresholds[label]) for label in SERVED},
        "dev_outside": {
            label: figures(label, outside, told, thresholds[label]) for label in SERVED
        },
        "encoder": files.digest,
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    (out / "card.md").write_text(card(metrics), "utf-8")
    return metrics


def best_threshold(label: str, rows: Sequence[Tagged], found: Sequence[Sequence[Entity]]) -> float:
    """The one that covers most on ``rows`` where at most ALARMS of the spans touch nobody's data,
    else the highest. A border that is a word off tells no secret and raises no alarm."""
    told = {t: figures(label, rows, found, t) for t in STEPS}
    careful = [t for t in STEPS if told[t]["alarms"] <= ALARMS]
    return max(careful, key=lambda t: (told[t]["covered"], -t), default=STEPS[-1])


def figures(
    label: str, rows: Sequence[Tagged], found: Sequence[Sequence[Entity]], threshold: float
) -> dict[str, float]:
    """Of exact spans: recall and precision; ``covered``: spans of which nothing is left;
    ``alarms``: share of what was found that touches nothing of any label."""
    count: Counter[str] = Counter()
    for row, entities in zip(rows, found, strict=True):
        wanted = {(s, e) for s, e, name in row.spans if name == label}
        got = {(e.start, e.end) for e in entities if e.label == label and e.score >= threshold}
        count["wanted"] += len(wanted)
        count["got"] += len(got)
        count["alarms"] += sum(all(b <= s or e <= a for s, e, _ in row.spans) for a, b in got)
        count["right"] += len(wanted & got)
        count["covered"] += sum(any(a <= s and e <= b for a, b in got) for s, e in wanted)
    recall = count["right"] / max(1, count["wanted"])
    precision = count["right"] / max(1, count["got"])
    return {
        "wanted": count["wanted"],
        "recall": round(recall, 3),
        "precision": round(precision, 3),
        "alarms": round(count["alarms"] / max(1, count["got"]), 3),
        "covered": round(count["covered"] / max(1, count["wanted"]), 3),
    }


def card(metrics: dict[str, Any]) -> str:
    lines = [
        "# Tagger of personal data",
        "",
        "A LoRA of MiniLM (Apache-2.0) with an embedding of each word's shape and tags for names,",
        "postal addresses, postcodes and telephone numbers. It stands beside the patterns of",
        "`chatbot/safety/pii.py`, which keep what has a checksum or a form.",
        "",
        f"- Data: {metrics['train_rows']} rows: patterns of `finetune/data/personal` (written for",
        "  this project) filled with invented people and addresses of many countries (package",
        "  faker, MIT), its whole messages, most of which name nobody, the router's questions,",
        f"  sentences of the invented help centres; {metrics['outside_rows']} of them from the",
        "  sentences of presidio-research (MIT; its identities CC-BY-SA-3.0 US), four of five of",
        "  its templates.",
        f"- Training: `python -m finetune pii --data-root DIR --seed {metrics['seed']}`,"
        f" {metrics['seconds'] / 60:.0f} minutes.",
        f"- Dev: {metrics['dev_rows']} rows of patterns, templates and ordinary messages that were",
        "  not trained on; thresholds were chosen with them. *Covered*: nothing of the span is",
        "  left; *alarms*: share of what was found that touches nobody's data.",
        "",
        "| Label | Dev spans | Threshold | Recall | Precision | Covered | Alarms |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, row in metrics["dev"].items():
        lines.append(
            f"| {label} | {row['wanted']} | {metrics['thresholds'][label]} | {row['recall']} "
            f"| {row['precision']} | {row['covered']} | {row['alarms']} |"
        )
    outside = metrics.get("dev_outside", {}).get("person_name", {"wanted": 0})
    if outside["wanted"]:
        streets = metrics["dev_outside"]["address"]
        lines += [
            "",
            "On the sentences of held-out templates of presidio-research alone:",
            f"{outside['wanted']} names, recall {outside['recall']} at precision "
            f"{outside['precision']}; {streets['wanted']} addresses, {streets['covered']} covered.",
        ]
    lines += [
        "",
        "## Limits",
        "",
        "Latin letters above all: of other scripts the encoder knows hardly a word. A name that is",
        "an ordinary word in lower case, or a house known by its name alone, is missed. A product",
        "named like a person may be taken for one.",
    ]
    return "\n".join(lines) + "\n"


def _write_settings(out: Path, files: EncoderFiles, thresholds: dict[str, float]) -> None:
    settings = {"labels": LABELS, "thresholds": thresholds, "encoder": files.digest}
    (out / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def pii_command(
    data: Annotated[Path, typer.Option(help="Folder with personal/ and router/.")] = DATA,
    data_root: Annotated[
        Path | None, typer.Option(help="Folder with presidio_pii/; without it own rows only.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the weights go.")] = WEIGHTS,
    seed: int = 0,
    only_calibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Of the weights in --out: train nothing.")
    ] = False,
) -> None:
    """Train the tagger of names, addresses and telephone numbers."""
    made = recalibrate(out, data, data_root) if only_calibrate else None
    print(json.dumps(made or train_tagger(data, data_root, out, seed), indent=2))
