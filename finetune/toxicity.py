"""``python -m finetune toxicity``: one checkpoint in Detoxify's format, thresholds, and a report.

Stages, each cached below ``--out`` so that an interrupted run goes on: frozen vectors, linear
probe, LoRA, blend between the two chosen on dev, temperatures baked into the classifier,
thresholds from scores of the assembled checkpoint, metrics and model card.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chatbot.errors import SetupError
from chatbot.safety.checkpoint import WEIGHTS, file_sha256
from chatbot.safety.toxicity_weights import save_architecture
from finetune.toxicity_augment import misspelt, support_variants
from finetune.toxicity_calibrate import headline, platt, report
from finetune.toxicity_data import (
    ARTICLES_DIR,
    CONTRAST_DIR,
    Row,
    bias_aware,
    read_articles,
    read_contrast,
    read_training_sets,
)
from finetune.toxicity_finish import finish
from finetune.toxicity_model import (
    Encoded,
    Floats,
    add_lora,
    blend,
    build_model,
    delta_of,
    run_model,
    trainable,
)
from finetune.toxicity_train import Recipe, fit_probe, train, write_delta
from knowledge_base.encoder import EncoderFiles

FEATURE_TOKENS = 8192  # a forward pass keeps nothing, so that its batches can be larger


def load_recipe(path: Path | None, seed: int | None = None) -> Recipe:
    """The recipe of a TOML file over the defaults. Raises SetupError for an unknown name."""
    recipe = Recipe()
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SetupError(f"the recipe {path} cannot be read: {error}") from None
        known = {field.name for field in fields(Recipe)}
        for name, value in values.items():
            if name not in known:
                raise SetupError(
                    f"{path}: {name} is no setting of this recipe; "
                    f"known: {', '.join(sorted(known))}"
                )
            change: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value}
            recipe = replace(recipe, **change)
    return recipe if seed is None else replace(recipe, seed=seed)


def collect_rows(
    data_root: Path,
    recipe: Recipe,
    contrast: Path = CONTRAST_DIR,
    articles: Path = ARTICLES_DIR,
) -> list[Row]:
    """All rows of all splits, in an order that depends on the files and the seed alone."""
    rows = [
        row
        for row in read_training_sets(data_root)
        if row.source != "civil" or row.split != "train" or _kept(row.text, recipe.civil_share)
    ]
    rows += support_variants(rows, recipe.seed, recipe.attitude_rows)
    rows += read_contrast(contrast, recipe.contrast_weight)
    rows += read_articles(articles)
    rows += misspelt(rows, recipe.seed)
    return [bias_aware(row) for row in rows]


def _kept(text: str, share: float) -> bool:
    digest = hashlib.sha256(b"share" + text.encode("utf-8", "replace")).digest()
    return digest[0] < share * 256


def train_toxicity(
    data_root: Path,
    out: Path,
    *,
    recipe: Recipe | None = None,
    resume: bool = False,
    encoder: EncoderFiles | None = None,
    contrast: Path = CONTRAST_DIR,
    articles: Path = ARTICLES_DIR,
) -> dict[str, Any]:
    """Trains into ``out`` (delta.safetensors, calibration.json, metrics.json, card.md).

    Returns the metrics. Raises SetupError when ``--resume`` meets other data or another recipe.
    """
    recipe = recipe or Recipe()
    encoder = encoder or EncoderFiles()
    started = time.monotonic()
    rows = collect_rows(data_root, recipe, contrast, articles)
    _claim(out, rows, recipe, resume)
    base = Path(encoder.path) / "model.safetensors"
    architecture = out / "architecture"
    architecture.mkdir(exist_ok=True)
    save_architecture(encoder, architecture)
    model = build_model(base, architecture)
    encoded = Encoded(encoder.tokenizer(), [row.text for row in rows], recipe.max_tokens)
    learn = [i for i, row in enumerate(rows) if row.split == "train"]
    check = [i for i, row in enumerate(rows) if row.split == "dev"]

    features = _features(out / "features.npz", model, encoded, rows)
    weights, biases = fit_probe(features[learn], [rows[i] for i in learn], recipe)
    teacher = features @ weights.T + biases
    _set_head(model, weights, biases)
    probe_report = report(rows, teacher, "dev")
    print(f"probe: {headline(probe_report):.4f}")

    _seed(recipe.seed)  # LoRA's A starts random
    adapted = add_lora(model, recipe.rank, recipe.alpha, recipe.dropout)
    start = trainable(adapted)
    train(
        adapted,
        encoded.subset(learn).cut(recipe.train_tokens),
        [rows[i] for i in learn],
        teacher[learn],
        recipe,
        out,
        resume=resume,
    )
    end = trainable(adapted)
    dev_rows, dev = [rows[i] for i in check], encoded.subset(check)
    tried: dict[str, float] = {}
    best, logits = recipe.blends[-1], np.zeros(0, dtype=np.float32)
    for share in recipe.blends:
        adapted.load_state_dict(blend(start, end, share), strict=False)
        now = run_model(adapted.base_model.model, dev, FEATURE_TOKENS, f"blend {share}")
        tried[str(share)] = round(headline(report(dev_rows, now, "dev")), 5)
        if logits.size == 0 or tried[str(share)] > tried[str(best)]:
            best, logits = share, now
    print(f"blends on dev: {tried}; {best} is kept")
    state = blend(start, end, best)
    scales, shifts = platt(logits, dev_rows)
    _bake(state, scales, shifts)
    write_delta(out / "delta.safetensors", delta_of(state), recipe, file_sha256(base))
    training = {
        "recipe": asdict(recipe),
        "rows": {name: sum(row.split == name for row in rows) for name in ("train", "dev", "test")},
        "blends_dev": tried,
        "blend": best,
        "temperature": [round(float(1 / s), 3) for s in scales],
        "probe_dev": probe_report,
        "minutes": round((time.monotonic() - started) / 60, 1),
    }
    return finish(rows, out, encoder, training)


def toxicity_command(
    data_root: Annotated[Path, typer.Option(help="Folder of the training sets.")],
    out: Annotated[Path, typer.Option(help="Folder for the result and everything to resume from.")],
    config: Annotated[Path | None, typer.Option(help="recipe.toml; default: built in.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on where an interrupted run stopped.")] = False,
    seed: Annotated[int | None, typer.Option(help="Overrides the recipe's seed.")] = None,
    install: Annotated[bool, typer.Option(help="Put the result into the package.")] = False,
) -> None:
    """Train the toxicity checkpoint and its calibration for both sides."""
    train_toxicity(data_root, out, recipe=load_recipe(config, seed), resume=resume)
    print(f"written to {out}; read {out / 'card.md'}")
    if install:
        install_weights(out)


def install_weights(out: Path) -> None:
    """Copies what is committed into chatbot/safety/weights/toxicity."""
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    for name in ("delta.safetensors", "calibration.json", "metrics.json", "card.md"):
        shutil.copyfile(out / name, WEIGHTS / name)


def _claim(out: Path, rows: Sequence[Row], recipe: Recipe, resume: bool) -> None:
    """Notes in ``out`` which data and recipe it belongs to, or checks that on ``--resume``."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row.text, row.targets, row.split)).encode("utf-8", "replace"))
    mine = {"rows_sha256": digest.hexdigest(), "recipe": json.loads(json.dumps(asdict(recipe)))}
    note = out / "run.json"
    if resume and note.exists():
        if json.loads(note.read_text("utf-8")) != mine:
            raise SetupError(
                f"{out} was begun with other data or another recipe; "
                "run without --resume, or choose another --out"
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "state.pt").unlink(missing_ok=True)
    note.write_text(json.dumps(mine, indent=1) + "\n", "utf-8")


def _features(path: Path, model: Any, encoded: Encoded, rows: Sequence[Row]) -> Floats:
    """Frozen vectors (rows, 384); kept by text, so that new rows alone are computed again."""
    keys = np.array([hashlib.sha256(repr(ids).encode()).hexdigest()[:24] for ids in encoded.ids])
    features = np.zeros((len(rows), model.config.hidden_size), dtype=np.float32)
    todo = list(range(len(rows)))
    if path.exists():
        with np.load(path) as cache:
            place = {str(key): i for i, key in enumerate(cache["keys"])}
            vectors = cache["vectors"]
        found = [i for i in todo if keys[i] in place]
        features[found] = vectors[[place[keys[i]] for i in found]]
        todo = [i for i in todo if keys[i] not in place]
    if todo:
        subset = encoded.subset(todo)
        features[todo] = run_model(model, subset, FEATURE_TOKENS, "frozen vectors", pooled=True)
        partial = path.with_name("features.partial.npz")
        np.savez(partial, keys=keys, vectors=features)
        partial.replace(path)
    return features


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
