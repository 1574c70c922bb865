"""The model card that lies beside a trained router."""

from __future__ import annotations

from typing import Any

from chatbot.routing.artifact import Manifest
from finetune.router_config import RouterConfig

COMMAND_OPTIONS = (
    "train",
    "out",
    "eval",
    "add",
    "encoder",
    "seed",
    "resume",
    "skip_bad_rows",
    "command",
)
NAMES = {
    "intent_accuracy": "intent accuracy, refused counted as wrong",
    "intent_accuracy_no_rejection": "intent accuracy, nothing refused",
    "macro_f1": "macro F1 of intents",
    "micro_f1": "micro F1 of intents",
    "oos_auroc": "out-of-scope AUROC",
    "oos_recall": "out-of-scope recall",
    "ece": "expected calibration error",
    "ece_cross_fitted": "the same, each row judged by a calibration on the others",
    "entity_f1": "entity F1, exact spans",
    "n": "rows",
}


def model_card(config: RouterConfig, manifest: Manifest, metrics: dict[str, Any]) -> str:
    """Markdown: data, command, seed and dev figures; notes beside the data are added whole."""
    option = f" --eval {config.eval.name}" if config.eval else ""
    command = config.command or (
        f"python -m finetune router --train {config.train.name}{option} "
        f"--out {config.out.name} --seed {config.seed}"
    )
    changed = config.model_dump(mode="json", exclude_defaults=True, exclude=set(COMMAND_OPTIONS))
    recipe = ", ".join(f"{key} = {value}" for key, value in changed.items()) or "the defaults"
    notes = config.train.with_name("SOURCES.md")
    sources = notes.read_text(encoding="utf-8") if notes.is_file() else ""
    form = (
        f"LoRA adapter (rank {manifest.lora_rank}, every linear layer) and two heads"
        if manifest.lora_rank
        else "Logistic regression"
    )
    return f"""# Router

{form} on
{manifest.encoder} ({manifest.encoder_digest}): {len(manifest.intents)} intents,
{len(manifest.entity_labels)} entity labels. Stored as fp16 safetensors.

    {command}

Recipe: {recipe}. {metrics["train_rows"]} training rows; SHA-256 of the file:
{manifest.train_sha256}.

{figures(manifest, metrics)}Intents: {", ".join(manifest.intents)}.
Entities: {", ".join(manifest.entity_labels) or "none"}.

{sources}"""


def figures(manifest: Manifest, metrics: dict[str, Any]) -> str:
    """The card's section of what dev rows measured and decided."""
    dev = "\n".join(
        f"| {NAMES[key]} | {value:.4f} |"
        if isinstance(value, float)
        else f"| {NAMES[key]} | {value} |"
        for key, value in metrics["dev"].items()
        if value is not None
    )
    return f"""## Figures on the {metrics["dev_rows"]} dev rows
These rows chose the epoch, the temperature and the thresholds, so they flatter a little.

| figure | value |
|---|---|
{dev}

Temperature {manifest.temperature:.3f}, neighbours' share {manifest.neighbour_share:g}; acts
from confidence {manifest.bands.act:.2f}, asks below it, trusts nothing under
{manifest.bands.clarify:.2f}.

"""


def with_figures(card: str, manifest: Manifest, metrics: dict[str, Any], dev_file: str) -> str:
    """A card after its router was calibrated again on ``dev_file``."""
    start, end = card.index("## Figures on the"), card.index("Intents: ")
    again = (
        "Calibrated again, not trained, by: "
        f"`python -m finetune router --recalibrate DIR --eval {dev_file}`\n\n"
    )
    return card[:start] + figures(manifest, metrics) + again + card[end:]
