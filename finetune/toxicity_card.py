"""The model card of the toxicity checkpoint, written from the metrics of its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatbot.safety.calibration import Calibration
from chatbot.safety.toxicity_weights import CLASSES
from chatbot.types import Side

INTRODUCTION = """# Toxicity model

Six scores (toxicity, severe_toxicity, obscene, threat, insult, identity_attack) for short English
texts of customers and of the bot. all-MiniLM-L6-v2 (Apache-2.0) with a seventh layer that averages
the token states, LoRA factors on its six layers, a head (the seventh layer's feed-forward part,
pooler, classifier); loaded through the real `Detoxify` class from a checkpoint that is assembled on
first use. Taught, among others, by small networks on the frozen states of all-mpnet-base-v2
(Apache-2.0), which serving does not need.

## Data
Jigsaw toxic comments (CC0, text CC-BY-SA-3.0), Civil Comments with annotator fractions (CC0),
ParaDetox (CC0), Davidson hate/offensive tweets (MIT), HatemojiBuild (CC-BY-4.0), questions of
Banking77, Bitext and CLINC150 as ordinary customers, and the project's own sets of support
conversations (`finetune/data/safety`) and the sentences of its help articles, sample company and
invented centres. Public sets are split 84/8/8 by a hash of the text; the own
sets by families, so that no way to insult, threaten or complain stands in two splits. Statements
about groups of people (`group`) are each read about several of 42 groups. Thresholds
come from dev, figures below from test.

## Command
`python -m finetune toxicity --data-root DIR --out OUT --install`; to train an earlier result on:
`--start OUT/delta.safetensors --config recipe.toml`.
"""

LIMITS = """
## What has not been measured
Comments of another labelling house, implicit hate, identity templates, Wikipedia talk at natural
prevalence, functional hate tests and functional emoji tests: none of these sets is among the
training data, and none may be. `python -m finetune evaluate toxicity --data FILE` gives AUC by
label and balanced accuracy on a labelled file of any of them.

## What it cannot judge
- Other languages than English: scores there mean little, and the gate must not rely on them.
- Who is meant: "you lot are useless" about a product and about a people look alike to it.
- Veiled and polite hostility, irony, contempt without an insulting word, and codes that are not in
  the data are often missed (the tables above say how often).
- Dialect: African American English was called offensive by the annotators of one set. That set
  has a low weight and halved targets, which reduces the bias and does not remove it.
- Facts, promises, self-harm and personal data: other checks of the gate are there for these.
- Reclaimed and quoted slurs are still scored too high.
"""


def write_card(path: Path, metrics: Mapping[str, Any], calibration: Calibration) -> None:
    """Markdown with data, command, seed, AUC by set, thresholds, costs and limits."""
    training = metrics["training"]
    recipe = training.get("recipe", {})
    lines = [
        INTRODUCTION,
        f"Seed {recipe.get('seed')}, rank {recipe.get('rank')}, {recipe.get('epochs')} epochs, "
        f"learning rate {recipe.get('learning_rate')}; {training.get('rows', {}).get('train')} "
        f"training rows; {training.get('minutes')} minutes on 2 shared CPU cores. "
        f"One number for dev (mean AUC over sets) by step: {training.get('dev_steps')}. Scores "
        f"of the assembled checkpoint differ from those of the model in training by at most "
        f"{training.get('assembled_difference')}.",
        *_start(training),
        "",
        "## Test: area under the ROC curve, by set (scores with all views)",
        "",
        "| set | n | " + " | ".join(CLASSES) + " |",
        "|---|---|" + "---|" * len(CLASSES),
    ]
    for name, figures in metrics["test"].items():
        cells = [f"{figures[c]:.3f}" if c in figures else "" for c in CLASSES]
        lines.append(f"| {name} | {figures['n']} | " + " | ".join(cells) + " |")
    lines += _aims(metrics)
    lines += ["", "## Thresholds and what they cost (dev)", ""]
    for side in Side:
        trade = calibration.trade_off[side.value]
        chosen = ", ".join(f"{k} {v}" for k, v in calibration.thresholds[side].items())
        lines += [
            f"- **{side.value}**: {chosen}. A false flag costs {trade['cost']['false_flag']} "
            f"missed abuses; at most {trade['cost']['limit']:.1%} of legitimate text may be "
            f"flagged. On dev, {trade['abuse_missed']:.1%} of abuse is missed and "
            f"{trade['legitimate_flagged']:.2%} of legitimate text flagged.",
        ]
        lines += [
            f"  - {name} {worth['threshold']}: alone it finds {worth['found_alone']:.1%} of abuse "
            f"and flags {worth['flagged_alone']:.2%} of legitimate text; without it "
            f"{worth['missed_without']:.1%} would be missed."
            for name, worth in trade["by_category"].items()
        ]
    lines += ["", "## Test: share flagged, by side and kind of text", ""]
    lines += ["| text | n | customer side | bot side |", "|---|---|---|---|"]
    customer, bot = (metrics["test_sides"][side.value] for side in Side)
    for name, found in customer.items():
        lines.append(
            f"| {name} | {found['n']} | {found['flagged']:.1%} | {bot[name]['flagged']:.1%} |"
        )
    path.write_text("\n".join(lines) + "\n" + LIMITS, "utf-8")


def _start(training: Mapping[str, Any]) -> list[str]:
    if not training.get("start"):
        return []
    return [
        "",
        f"Trained on from the delta with SHA-256 {training['start']}… (an earlier state of "
        "`chatbot/safety/weights/toxicity/delta.safetensors`); the whole recipe is in "
        "`metrics.json`.",
    ]


def _aims(metrics: Mapping[str, Any]) -> list[str]:
    """What the model is for, and where it fails: shares, areas, and rows that went wrong."""
    jigsaw = metrics["test"].get("jigsaw", {})
    labels = [jigsaw[name] for name in CLASSES if name in jigsaw]
    lines = ["", "## What it is for (test)", "", "| | side | wanted | found | 95% | n |"]
    lines += ["|---|---|---|---|---|---|"]
    if labels:
        mean = sum(labels) / len(labels)
        lines += [
            f"| Jigsaw-type AUC, toxic | | ≥ 0.975 | {jigsaw['toxic']:.3f} | | {jigsaw['n']} |",
            f"| Jigsaw-type AUC, mean of {len(labels)} labels | | ≥ 0.968 | {mean:.3f} | "
            f"| {jigsaw['n']} |",
        ]
    for name, value in metrics["test_balanced"].items():
        lines.append(f"| balanced accuracy on {name} | bot | | {value:.1%} | | |")
    for found in metrics["test_aims"]:
        lines.append(
            f"| {found['aim']} | {found['side']} | {found['wanted']} | {found['mean']:.1%} | "
            f"{found['low']:.1%} to {found['high']:.1%} | {found['n']} |"
        )
    lines += ["", "## Where it fails (test rows of the project's own sets)", ""]
    lines += ["The rows furthest on the wrong side of the thresholds. They quote abuse.", ""]
    for found in metrics["test_aims"]:
        lines += [f"- {found['aim']}: {text}" for text in found["wrong"]]
    return lines
