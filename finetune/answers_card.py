"""The model card that lies beside an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BASE = "SmolLM2-135M-Instruct (Apache-2.0)"
_SHOWN = (
    ("right", "right, all rows"),
    ("right_answered", "right, rows with an answer"),
    ("cited", "cited exactly the right passages"),
    ("faithful_numbers", "every number stands in the passages"),
    ("abstained_right", "abstained where due"),
    ("abstained_wrong", "abstained where an answer was there"),
)


def card_text(about: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Markdown: what it is, from what, how, how good, what it must not be used for."""
    recipe = about["recipe"]
    batch = recipe["batch_size"] * recipe["accumulate"]
    lines = [
        "# Answer adapter",
        "",
        f"For {about.get('base', _BASE)}: answers a customer's question from numbered",
        "help passages, names the passage after each fact (`[1]`), and says that it cannot find",
        "the answer when the passages do not hold it.",
        "",
        f"- Base digest `{about['base_digest']}`, method {recipe.get('method', 'lora')}, rank "
        f"{about['rank']}, half precision.",
        f"- Data: {metrics['rows']} rows in {metrics['sequences']} groups, SHA-256 "
        f"`{about['data_sha256'][:16]}`, "
        + (about.get("data") or "made by `python -m finetune prepare` (see its report)")
        + ".",
        f"- Training: `python -m finetune {about.get('command', 'answers')} --seed "
        f"{recipe['seed']}`: {metrics['steps']} steps of {batch} groups, learning rate "
        f"{recipe['learning_rate']:g} ({recipe['schedule']}), {metrics['minutes']} minutes.",
        *(
            [f"- Started from adapter `{about['started_from']}` of the same kind of data."]
            if about.get("started_from")
            else []
        ),
        f"- Loss on the answers: {metrics['loss_first']} at the start, {metrics['loss_last']} "
        "at the end.",
        "",
    ]
    evaluation = metrics.get("evaluation") or {}
    for split, results in evaluation.items():
        names = list(results)
        counts = ", ".join(str(results[name]["n"]) for name in names)
        lines += [
            f"## {split} (n = {counts})",
            "",
            "| before any gate or fallback | " + " | ".join(names) + " |",
            "|---" * (len(names) + 1) + "|",
            *(
                f"| {label} | " + " | ".join(_percent(results[n].get(key)) for n in names) + " |"
                for key, label in _SHOWN
            ),
            "",
        ]
    lines += [
        "## Limits",
        "",
        "English; a few short units of passages at a time. It can state things that they do not",
        "say, and answer beside the point: use it behind the gate, never alone.",
        "",
    ]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
