"""``python -m finetune toxicity``: one checkpoint in Detoxify's format, thresholds, and a report.

Stages, each cached below ``--out`` so that an interrupted run goes on: frozen vectors and linear
probe (or an earlier delta), a larger encoder's opinion, LoRA, the share of its change that dev
likes best, temperatures baked into the classifier, thresholds from scores of the assembled
checkpoint, metrics and model card.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chatbot.errors import SetupError
from chatbot.safety.checkpoint import WEIGHTS, file_sha256
from chatbot.safety.toxicity_weights import read_delta, save_architecture
from finetune.centres import FOLDER as CENTRES
from finetune.toxicity_calibrate import platt
from finetune.toxicity_data import Row
from finetune.toxicity_figures import headline, report
from finetune.toxicity_finish import assembled_difference, finish
from finetune.toxicity_head import cached_states, train_head
from finetune.toxicity_model import (
    FEATURE_TOKENS,
    Encoded,
    Floats,
    add_lora,
    blend,
    build_model,
    delta_of,
    head_logits,
    pooled,
    resume_from,
    sentence_states,
    trainable,
)
from finetune.toxicity_own import ARTICLES_DIR, CONTRAST_DIR
from finetune.toxicity_recipe import Recipe, load_recipe
from finetune.toxicity_rows import collect_rows, sample
from finetune.toxicity_teacher import MADE, opinions
from finetune.toxicity_train import fit_probe, train, write_delta
from knowledge_base.encoder import EncoderFiles


def train_toxicity(
    data_root: Path,
    out: Path,
    *,
    recipe: Recipe | None = None,
    resume: bool = False,
    encoder: EncoderFiles | None = None,
    contrast: Path = CONTRAST_DIR,
    articles: Path = ARTICLES_DIR,
    centres: Path = CENTRES,
    start_from: Path | None = None,
) -> dict[str, Any]:
    """Trains into ``out`` (delta.safetensors, calibration.json, metrics.json, card.md).

    ``start_from`` is a delta to train on; without one, LoRA starts at the probe. Returns the
    metrics. Raises SetupError when ``--resume`` meets other data, another recipe or another start.
    """
    recipe = recipe or Recipe()
    encoder = encoder or EncoderFiles()
    started = time.monotonic()
    rows = collect_rows(data_root, recipe, contrast, articles, centres)
    _claim(out, rows, recipe, start_from, resume)
    base = Path(encoder.path) / "model.safetensors"
    architecture = out / "architecture"
    architecture.mkdir(exist_ok=True)
    save_architecture(encoder, architecture)
    model = build_model(base, architecture)
    chosen = [row for row in rows if row.split == "train"]
    dev_rows = sample(rows, "dev")
    texts = [row.text for row in (*chosen, *dev_rows)]
    encoded = Encoded(encoder.tokenizer(), texts, recipe.max_tokens)

    if start_from is None:
        states = cached_states(out / "states.npz", model, encoded)
        _set_head(model, *fit_probe(_pooled(model, states[: len(chosen)]), chosen, recipe))
    _seed(recipe.seed)  # LoRA's A starts random
    adapted = add_lora(model, recipe.rank, recipe.alpha, recipe.dropout)
    if start_from is not None:
        resume_from(adapted, *read_delta(start_from), recipe.alpha / recipe.rank)
        states = cached_states(out / "states.npz", adapted.base_model.model, encoded)
    tuned, logits = _tune(adapted, encoded, states, chosen, dev_rows, recipe, out, resume)
    state = trainable(adapted)
    scales, shifts = platt(logits, dev_rows)
    _bake(state, scales, shifts)
    write_delta(out / "delta.safetensors", delta_of(state), recipe, file_sha256(base))
    training = {
        "assembled_difference": float(f"{assembled_difference(adapted, state, out, encoder):.2g}"),
        "recipe": asdict(recipe),
        "start": file_sha256(start_from)[:16] if start_from else None,
        "rows": {name: sum(row.split == name for row in rows) for name in ("train", "dev", "test")},
        **tuned,
        "temperature": [round(float(1 / s), 3) for s in scales],
        "minutes": round((time.monotonic() - started) / 60, 1),
    }
    return finish(rows, out, encoder, training)


def _tune(
    adapted: Any, encoded: Encoded, states: Floats, rows: Sequence[Row], dev_rows: Sequence[Row],
    recipe: Recipe, out: Path, resume: bool,
) -> tuple[dict[str, Any], Floats]:  # fmt: skip
    """Trains LoRA and head in place; what dev says of each step, and the last logits of dev.

    ``encoded`` and its ``states`` at the start hold ``rows``, then ``dev_rows``.
    """
    network = adapted.base_model.model
    count = len(rows)

    def judged(logits: Floats) -> float:
        return round(headline(report(dev_rows, logits, "dev")), 5)

    opinion = head_logits(network, states)
    found: dict[str, Any] = {"start": judged(opinion[count:])}
    if recipe.teacher:
        everything = [*rows, *dev_rows]
        asked = [i for i, row in enumerate(everything) if not row.source.startswith(MADE)]
        larger = opinions(
            out / "teacher.npz", recipe.teacher, [everything[i] for i in asked], recipe.seed
        )
        opinion[asked] += recipe.teacher_mix * (larger - opinion[asked])
        found["with_teacher"] = judged(opinion[count:])
    if recipe.epochs:
        start = trainable(adapted)
        part = encoded.subset(range(count)).cut(recipe.train_tokens)
        train(adapted, part, rows, opinion[:count], recipe, out, resume=resume)
        end = trainable(adapted)
        dev = encoded.subset(range(count, len(encoded.ids)))
        tried: dict[float, float] = {}
        for share in recipe.blends:
            adapted.load_state_dict(blend(start, end, share), strict=False)
            now = sentence_states(network, dev, FEATURE_TOKENS, f"blend {share}")
            tried[share] = judged(head_logits(network, now))
        best = max(tried, key=lambda share: tried[share])
        adapted.load_state_dict(blend(start, end, best), strict=False)
        found |= {"blends": {str(share): value for share, value in tried.items()}, "blend": best}
        states = cached_states(out / "tuned_states.npz", network, encoded)
    if recipe.head_epochs:
        train_head(network, states[:count], rows, opinion[:count], recipe)
    logits = head_logits(network, states[count:])
    found["end"] = judged(logits)
    print(f"dev: {found}")
    return {"dev_steps": found}, logits


def toxicity_command(
    data_root: Annotated[Path, typer.Option(help="Folder of the training sets.")],
    out: Annotated[Path, typer.Option(help="Folder for the result and everything to resume from.")],
    config: Annotated[Path | None, typer.Option(help="recipe.toml; default: built in.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on where an interrupted run stopped.")] = False,
    seed: Annotated[int | None, typer.Option(help="Overrides the recipe's seed.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="delta.safetensors to go on from; default: the encoder.")
    ] = None,
    install: Annotated[bool, typer.Option(help="Put the result into the package.")] = False,
) -> None:
    """Train the toxicity checkpoint and its calibration for both sides."""
    recipe = load_recipe(config, seed)
    train_toxicity(data_root, out, recipe=recipe, resume=resume, start_from=start)
    print(f"written to {out}; read {out / 'card.md'}")
    if install:
        install_weights(out)


def install_weights(out: Path) -> None:
    """Copies what is committed into chatbot/safety/weights/toxicity."""
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    for name in ("delta.safetensors", "calibration.json", "metrics.json", "card.md"):
        shutil.copyfile(out / name, WEIGHTS / name)


def _claim(
    out: Path, rows: Sequence[Row], recipe: Recipe, start_from: Path | None, resume: bool
) -> None:
    """Notes in ``out`` which data and recipe it belongs to, or checks that on ``--resume``."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row.text, row.targets, row.split)).encode("utf-8", "replace"))
    mine = {
        "rows_sha256": digest.hexdigest(),
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "start_sha256": file_sha256(start_from) if start_from else None,
    }
    note = out / "run.json"
    if resume and note.exists():
        if json.loads(note.read_text("utf-8")) != mine:
            raise SetupError(
                f"{out} was begun with other data or another recipe; "
                "run without --resume, or choose another --out"
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    stale = ["state.pt", "tuned_states.npz"]  # of another run
    before = json.loads(note.read_text("utf-8")) if note.exists() else {}
    if before.get("start_sha256") != mine["start_sha256"]:
        stale.append("states.npz")  # of another model
    for left in stale:
        (out / left).unlink(missing_ok=True)
    note.write_text(json.dumps(mine, indent=1) + "\n", "utf-8")


def _pooled(model: Any, states: Floats) -> Floats:
    import torch

    with torch.inference_mode():
        return np.asarray(pooled(model, torch.tensor(states)))


def _seed(seed: int) -> None:
    import torch

    torch.manual_seed(seed)


def _set_head(model: Any, weights: Floats, biases: Floats) -> None:
    import torch

    with torch.no_grad():
        model.classifier.weight.copy_(torch.tensor(weights))
        model.classifier.bias.copy_(torch.tensor(biases))


def _bake(state: dict[str, Any], scales: Any, shifts: Any) -> None:
    """Temperature per label becomes part of the classifier: Detoxify's sigmoid is calibrated."""
    import torch

    scale = torch.tensor(scales, dtype=torch.float32)
    for name, value in list(state.items()):
        if name.endswith("classifier.weight"):
            state[name] = value * scale[:, None]
        elif name.endswith("classifier.bias"):
            state[name] = value * scale + torch.tensor(shifts, dtype=torch.float32)
