"""``python -m finetune grounding``: the trained half of the grounding check, and its figures.

Rows are made of help articles (true sentences and corruptions of them) and of people's
replies; a cross-encoder learns to tell them apart, a logistic regression on dev rows joins it
with what the rules see, and the threshold comes from the same dev rows.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from chatbot.errors import SetupError
from chatbot.safety.grounding_compare import FEATURES
from chatbot.safety.grounding_head import FORMAT, MANIFEST, TENSORS, GroundingHead, Manifest
from finetune.grounding_evaluate import (
    Read,
    evaluate_grounding,
    evaluate_grounding_command,
    evaluated,
    logits,
    read,
)
from finetune.grounding_rows import GroundingRow, counted
from knowledge_base.encoder import DEFAULT_ENCODER, EncoderFiles

__all__ = [
    "Recipe",
    "evaluate_grounding",
    "evaluate_grounding_command",
    "grounding_command",
    "load_recipe",
    "train_grounding",
]

FALSE_SUPPORT_COST = 2.0  # a wrong claim that passes, counted in true sentences dropped
VETOED_SHARE = 0.35  # of the rows that hard facts decide anyway, kept to learn from
COPIES_SHARE = 0.5  # of the sentences taken word for word: the easiest rows
HUMAN_WEIGHT = 3.0  # of a person's sentence beside one that was made by a rule
METRICS = "metrics.json"
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Recipe:
    rank: int = 16
    alpha: int = 32
    epochs: int = 2
    seed: int = 7
    most_rows: int = 9_000
    """Of the training rows, drawn at random: two epochs take about 8 minutes on two cores."""
    dev_rows: int = 3000
    test_rows: int = 4000


def train_grounding(
    data_root: Path | None, out: Path, recipe: Recipe | None = None, *, resume: bool = False
) -> dict[str, Any]:
    """Trains, chooses the threshold, writes weights, card and figures; returns the figures.

    Without ``data_root`` only the sample company's articles are learned from, which is too
    little for a good head. With ``resume`` it goes on from the last checkpoint, or, where the
    network is trained already, joins it with the rules and measures anew. Raises SetupError
    for missing data.
    """
    from finetune.grounding_build import all_texts, build_rows
    from finetune.grounding_card import write_card
    from finetune.grounding_train import Pair, train

    recipe = recipe or Recipe()
    out.mkdir(parents=True, exist_ok=True)
    files = EncoderFiles(DEFAULT_ENCODER)
    rows = build_rows(all_texts(data_root), recipe.seed)
    by_split = {s: [r for r in rows if r.split == s] for s in ("train", "dev", "test")}
    rng = random.Random(recipe.seed)
    learned = [
        item
        for item in map(read, by_split["train"])
        if rng.random() < (VETOED_SHARE if item.compared.problems else 1.0)
        and (item.row.kind != "copy" or rng.random() < COPIES_SHARE)
    ]
    rng.shuffle(learned)
    learned = learned[: recipe.most_rows]
    pairs = [Pair(i.claim.text, i.evidence, i.row.label) for i in learned]
    print(f"{len(pairs)} training pairs of {len(by_split['train'])} rows", flush=True)
    earlier = _earlier(out) if resume else None
    if earlier is None:
        model = train(
            pairs, files, out, rank=recipe.rank, alpha=recipe.alpha, epochs=recipe.epochs,
            seed=recipe.seed, checkpoint=CHECKPOINT, resume=resume,
        )  # fmt: skip
        _write(out, _unjoined(recipe, files), model.tensors())
        earlier = {
            "train_rows": len(pairs),
            "train_kinds": counted(i.row for i in learned),
            "data_sha256": _digest(by_split["train"]),
            "recipe": asdict(recipe),
        }
        (out / METRICS).write_text(json.dumps(earlier, indent=1) + "\n", "utf-8")

    rng = random.Random(recipe.seed)
    dev = rng.sample(by_split["dev"], k=min(recipe.dev_rows, len(by_split["dev"])))
    tested = rng.sample(by_split["test"], k=min(recipe.test_rows, len(by_split["test"])))
    head = GroundingHead.load(out, files)
    open_rows = [item for item in map(read, dev) if not item.compared.problems]
    manifest = _joined(open_rows, logits(head, open_rows), recipe, files)
    (out / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")
    head.manifest = manifest
    figures = {
        **earlier,
        "threshold": manifest.threshold,
        "dev": evaluated(head, dev),
        "test": evaluated(head, tested),
    }
    (out / METRICS).write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    write_card(out, figures)
    return figures


def grounding_command(
    data_root: Annotated[
        Path | None, typer.Option(help="Folder with dstc9_faq_kb and logingov_help.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the trained head.")] = Path("runs/grounding"),
    config: Annotated[Path | None, typer.Option(help="A recipe.toml.")] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
) -> None:
    """Train the grounding head: is this sentence supported by that passage?"""
    figures = train_grounding(data_root, out, load_recipe(config, seed), resume=resume)
    print(json.dumps(figures["test"]["headline"], indent=1))
    print(f"written to {out}")


def load_recipe(path: Path | None, seed: int | None = None) -> Recipe:
    """A recipe.toml over the defaults. Raises SetupError for an unknown name."""
    import tomllib

    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SetupError(f"the recipe {path} cannot be read: {error}") from None
    if seed is not None:
        values["seed"] = seed
    unknown = sorted(set(values) - set(asdict(Recipe())))
    if unknown:
        raise SetupError(
            f"the recipe {path} sets {unknown[0]!r}; known are: {', '.join(asdict(Recipe()))}"
        )
    return Recipe(**values)


def _joined(
    dev: Sequence[Read], dev_logits: NDArray[np.float64], recipe: Recipe, files: EncoderFiles
) -> Manifest:
    """Logistic regression on standardised features; the threshold at the lowest cost."""
    from sklearn.linear_model import LogisticRegression

    table = np.column_stack([dev_logits, np.array([item.compared.features for item in dev])])
    labels = np.array([item.row.label for item in dev])
    centres, spreads = table.mean(0), table.std(0)
    spreads[spreads < 1e-6] = 1.0
    scaled = (table - centres) / spreads
    weights = np.array([HUMAN_WEIGHT if i.row.kind in {"human", "answer"} else 1.0 for i in dev])
    model = LogisticRegression(C=0.3, max_iter=1000).fit(scaled, labels, sample_weight=weights)
    scores = model.predict_proba(scaled)[:, 1]
    steps = np.linspace(0.1, 0.95, 171)
    costs = [
        FALSE_SUPPORT_COST * np.average(scores[labels == 0] >= t)
        + np.average(scores[labels == 1] < t, weights=weights[labels == 1])
        for t in steps
    ]
    return Manifest(
        format=FORMAT, encoder=files.setting, encoder_digest=files.digest,
        lora_rank=recipe.rank, lora_alpha=recipe.alpha, features=FEATURES,
        centres=tuple(map(float, centres)), spreads=tuple(map(float, spreads)),
        weights=tuple(map(float, model.coef_[0])), bias=float(model.intercept_[0]),
        threshold=round(float(steps[int(np.argmin(costs))]), 3),
    )  # fmt: skip


def _unjoined(recipe: Recipe, files: EncoderFiles) -> Manifest:
    """The network alone, until its logit is joined with the rules."""
    zeros = (0.0,) * len(FEATURES)
    return Manifest(
        format=FORMAT, encoder=files.setting, encoder_digest=files.digest,
        lora_rank=recipe.rank, lora_alpha=recipe.alpha, features=FEATURES,
        centres=(0.0, *zeros), spreads=(1.0, *(1.0 for _ in zeros)), weights=(1.0, *zeros),
        bias=0.0, threshold=0.5,
    )  # fmt: skip


def _earlier(out: Path) -> dict[str, Any] | None:
    """What is known of a network that ``out`` holds complete; None where there is none."""
    if (out / CHECKPOINT).exists() or not all((out / n).is_file() for n in (TENSORS, METRICS)):
        return None
    known: dict[str, Any] = json.loads((out / METRICS).read_text("utf-8"))
    return {n: known[n] for n in ("train_rows", "train_kinds", "data_sha256", "recipe")}


def _write(out: Path, manifest: Manifest, tensors: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file(tensors, out / TENSORS)
    (out / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")


def _digest(rows: Sequence[GroundingRow]) -> str:
    content = "\n".join(f"{r.label}\t{r.claim}\t{r.passage.text}" for r in rows)
    return hashlib.sha256(content.encode()).hexdigest()
