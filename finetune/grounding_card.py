"""The model card that lies beside the grounding head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NAMES = {
    "n": "rows",
    "balanced_accuracy": "balanced accuracy, all types",
    "balanced_accuracy_unseen_types": "balanced accuracy, corruption types never trained on",
    "human_balanced_accuracy": "balanced accuracy, people's replies",
    "human_recall": "people's replies found supported",
    "paraphrase_recall": "reworded true sentences found supported",
    "recall_supported": "true sentences found supported",
    "false_support": "false sentences found supported",
}


def write_card(out: Path, figures: dict[str, Any]) -> None:
    """``card.md``: what it is, data, command, seed and figures, with the kinds one by one."""
    recipe = figures["recipe"]
    test = figures["test"]
    lines = [
        "# Grounding head",
        "",
        "Tells whether a help passage supports a sentence. A LoRA adapter "
        f"(rank {recipe['rank']}) on the shared encoder reads `claim [SEP] evidence`; a logistic",
        "regression joins its logit with the rules of `chatbot/safety/grounding_compare.py`.",
        "Hard facts (numbers, dates, names, bounds) are decided by rules alone and cannot be",
        "outvoted. English only.",
        "",
        f"    python -m finetune grounding --data-root DIR --out DIR --seed {recipe['seed']}",
        "",
        f"{figures['train_rows']} training pairs, SHA-256 of the rows "
        f"{figures['data_sha256'][:16]}. Sources: the sample company's articles that the train",
        "questions name, Login.gov help (public domain), DSTC9 FAQ snippets with people's",
        "replies (Apache-2.0). Splits are kept apart by article or entity. False sentences are",
        "corruptions of true ones; unit, comparator, antonym, quantifier and mixed are made for",
        "the test only. The network has never seen those types; some rules (opposites, units,",
        "'all' for 'some') were written after reading rows of them, so that figure flatters the",
        "rules a little. Some corruptions are true after all, which costs every figure a point.",
        "",
        f"Threshold {figures['threshold']}: the lowest cost on dev, where a false sentence that "
        "passes counts as two true ones dropped.",
        "",
        "| figure | dev | test |",
        "|---|---|---|",
        *(
            f"| {NAMES[key]} | {figures['dev']['headline'].get(key, '')} | {value} |"
            for key, value in test["headline"].items()
        ),
        "",
        "| kind (test) | true or false | found supported | rows |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {'true' if label else 'false'} | {share} | {rows} |"
            for kind, (share, rows, label) in test["passed_by_kind"].items()
        ),
        "",
    ]
    (out / "card.md").write_text("\n".join(lines), "utf-8")
