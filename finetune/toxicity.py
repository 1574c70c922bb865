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
from chatbot.safety.calibration import Calibration
from chatbot.safety.checkpoint import assemble, file_sha256, save_architecture
from chatbot.safety.toxicity import CATEGORIES, MAX_CHARS, DetoxifyScorer
from chatbot.types import Side
from finetune.toxicity_augment import misspelt, support_variants
from finetune.toxicity_calibrate import BOT, CUSTOMER, Floats, choose, headline, platt, report
from finetune.toxicity_card import write_card
from finetune.toxicity_data import CONTRAST_DIR, Row, bias_aware, read_contrast, read_training_sets
from finetune.toxicity_train import (
    Encoded,
    Recipe,
    add_lora,
    blend,
    build_model,
    delta_of,
    fit_probe,
    run_model,
    train,
    trainable,
    write_delta,
)
from knowledge_base.encoder import EncoderFiles

FEATURE_TOKENS = 8192  # a forward pass keeps nothing, so that its batches can be larger
SMALL_SETS = ("contrast_", "attitude_", "legit", "tone_", "hatemoji")
SCORED_ROWS = 2800  # of dev and of test, for thresholds: through the real scorer, views and all


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


def collect_rows(data_root: Path, recipe: Recipe, contrast: Path = CONTRAST_DIR) -> list[Row]:
    """All rows of all splits, in an order that depends on the files and the seed alone."""
    rows = [
        row
        for row in read_training_sets(data_root)
        if row.source != "civil" or row.split != "train" or _kept(row.text, recipe.civil_share)
    ]
    rows += support_variants(rows, recipe.seed, recipe.attitude_rows)
    rows += read_contrast(contrast, recipe.contrast_weight)
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
) -> dict[str, Any]:
    """Trains into ``out`` (delta.safetensors, calibration.json, metrics.json, card.md).

    Returns the metrics. Raises SetupError when ``--resume`` meets other data or another recipe.
    """
    recipe = recipe or Recipe()
    encoder = encoder or EncoderFiles()
    started = time.monotonic()
    rows = collect_rows(data_root, recipe, contrast)
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

    adapted = add_lora(model, recipe)
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


def finish(
    rows: Sequence[Row], out: Path, encoder: EncoderFiles, training: dict[str, Any]
) -> dict[str, Any]:
    """Thresholds, metrics and card from the scores of the assembled checkpoint."""
    checkpoint = assemble(out / "delta.safetensors", encoder, out.resolve() / "assembled")
    scorer = DetoxifyScorer(checkpoint)
    parts = {split: _sample(rows, split) for split in ("dev", "test")}
    scores = {split: _scores(scorer, part, split) for split, part in parts.items()}
    thresholds, trade_off = {}, {}
    for side, cost in ((Side.CUSTOMER, CUSTOMER), (Side.BOT, BOT)):
        thresholds[side], trade_off[side.value] = choose(parts["dev"], scores["dev"], cost)
    calibration = Calibration(thresholds, checkpoint.parent.name, trade_off)
    (out / "calibration.json").write_text(
        json.dumps(calibration.document(), indent=1) + "\n", "utf-8"
    )
    metrics = {
        "training": training,
        "thresholds": {side.value: thresholds[side] for side in Side},
        "dev": report(parts["dev"], scores["dev"], "dev"),
        "test": report(parts["test"], scores["test"], "test"),
        "test_sides": sides(parts["test"], scores["test"], calibration),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", "utf-8")
    write_card(out / "card.md", metrics, calibration)
    return metrics


def sides(rows: Sequence[Row], scores: Floats, calibration: Calibration) -> dict[str, Any]:
    """Side -> source -> {"n", "flagged"}: the share of each kind of row that is flagged, with
    rows that are toxic and rows that are not kept apart."""
    found: dict[str, Any] = {}
    for side in Side:
        limits = np.array([calibration.threshold(side, c) or 2.0 for c in CATEGORIES])
        flagged = np.asarray((scores >= limits).any(1))
        table: dict[str, dict[str, float]] = {}
        for source in sorted({row.source for row in rows}):
            for name, wanted in (("toxic", True), ("not_toxic", False)):
                mine = [
                    i
                    for i, row in enumerate(rows)
                    if row.source == source and (row.targets[0] >= 0.5) is wanted
                ]
                if mine:
                    share = round(float(flagged[mine].mean()), 4)
                    table[f"{source}/{name}"] = {"n": len(mine), "flagged": share}
        found[side.value] = table
    return found


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
    from chatbot.safety.checkpoint import WEIGHTS

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


def _sample(rows: Sequence[Row], split: str) -> list[Row]:
    """At most SCORED_ROWS rows of a split: all of the small sets, every n-th of the large."""
    mine = [row for row in rows if row.split == split and len(row.text) <= MAX_CHARS]
    small = [r for r in mine if r.source.startswith(SMALL_SETS)]
    large = [r for r in mine if not r.source.startswith(SMALL_SETS)]
    step = max(1, len(large) // max(1, SCORED_ROWS - len(small)))
    return small + large[::step]


def _scores(scorer: DetoxifyScorer, rows: Sequence[Row], shown: str) -> Floats:
    from tqdm import tqdm  # type: ignore[import-untyped]

    out = np.zeros((len(rows), len(CATEGORIES)), dtype=np.float32)
    page = 128
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].text))
    for start in tqdm(range(0, len(rows), page), desc=f"scores of {shown}", unit="page"):
        mine = order[start : start + page]
        for row, found in zip(mine, scorer.score([rows[i].text for i in mine]), strict=True):
            out[row] = [found[name] for name in CATEGORIES]
    return out
