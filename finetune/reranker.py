"""``python -m finetune reranker``: does this piece of a passage answer this question?

A cross-encoder learns it from the sample company's train questions, from invented help centres
and from public help texts. A quarter of the train questions, by article, is kept out of
training: it gives the temperature, the weight beside the fused relevance, and the floor.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from chatbot.safety import grounding_head
from finetune.centres import read_centres
from finetune.reranker_card import write_card
from finetune.reranker_measure import (
    WEIGHTS,
    Remembering,
    best_weight,
    floor_row,
    measured,
    mixed,
    network_logits,
    platt,
    reciprocal_ranks,
    trade_off,
)
from finetune.reranker_rows import (
    Group,
    Judged,
    judged_rows,
    sample_chunks,
    sample_groups,
    sample_retriever,
    sample_rows,
)
from finetune.reranker_sources import centre_groups, dstc9, logingov, pseudo, synthetic
from knowledge_base.encoder import EncoderFiles, TextEncoder, TransformerEncoder
from knowledge_base.reranker import DEFAULT, FORMAT, MANIFEST, TENSORS, Manifest, Reranker
from knowledge_base.retriever import Retriever

GROUNDING = Path(grounding_head.__file__).parent / "weights" / "grounding" / grounding_head.TENSORS
"""Where training begins: an adapter of the same shape that compares a claim with evidence."""
METRICS = "metrics.json"


@dataclass(frozen=True)
class Recipe:
    rank: int = 16
    alpha: int = 32
    seed: int = 7
    sample_rounds: int = 3
    """How often each train question is seen, each time worn differently."""
    centre_rounds: int = 2
    """The same for the questions of the invented help centres."""
    units: int = 14
    """Of one question in training; serving judges about 60."""
    synthetic: int = 150
    """Invented pages, about five questions each."""
    dstc9: int = 700
    pseudo: int = 70
    """Questions made of the train articles, and as many of Login.gov's."""


def train_reranker(
    data_root: Path | None, out: Path, recipe: Recipe | None = None, start: Path | None = None
) -> dict[str, Any]:
    """Trains, calibrates, measures on dev, writes all files; returns the figures.

    ``start``: the tensors to begin from, by default the grounding head's. Raises SetupError for
    missing data.
    """
    from safetensors.torch import save_file

    from finetune.reranker_train import train

    recipe = recipe or Recipe()
    out.mkdir(parents=True, exist_ok=True)
    files = EncoderFiles()
    encoder = TransformerEncoder(files)
    judged = judged_rows(sample_rows("train"), encoder)
    learned = [one for one in judged if not one.held_out]
    groups = training_groups(learned, data_root, encoder, recipe)
    print(f"{sum(len(g.labels) for g in groups)} pairs of {len(groups)} questions", flush=True)
    model = train(
        groups,
        files,
        rank=recipe.rank,
        alpha=recipe.alpha,
        seed=recipe.seed,
        start=start or GROUNDING,
    )
    save_file(model.tensors(), out / TENSORS)
    held = [one for one in judged if one.held_out]
    return finish(held, out, recipe, encoder, groups, start or GROUNDING)


def finish(
    held: Sequence[Judged],
    out: Path,
    recipe: Recipe,
    encoder: TransformerEncoder,
    groups: Sequence[Group],
    start: Path = GROUNDING,
) -> dict[str, Any]:
    """Calibrates the tensors that lie in ``out`` on the rows held out, and measures on dev."""
    files = encoder.files
    manifest = Manifest(
        format=FORMAT, encoder=files.setting, encoder_digest=files.digest,
        scale=recipe.alpha / recipe.rank, temperature=1.0, shift=0.0, weight=1.0, floor=0.0,
        trade_off=(),
    )  # fmt: skip
    _write(out, manifest)
    logits = network_logits(held, Reranker.load(out, files))
    temperature, shift = platt(held, logits)
    scores = {w: mixed(held, logits, temperature, shift, w) for w in WEIGHTS}
    found = {w: reciprocal_ranks(held, own) for w, own in scores.items()}
    ranks = {w: sum(own) / len(own) for w, own in found.items()}
    tables = {w: trade_off(held, own) for w, own in scores.items()}
    silent = {w: floor_row(table)["unanswerable_silent"] for w, table in tables.items()}
    weight = best_weight(ranks, silent)
    table = tables[weight]
    floor = floor_row(table)["floor"]
    manifest = manifest.model_copy(
        update={
            "temperature": temperature, "shift": shift, "weight": weight, "floor": floor,
            "trade_off": tuple(table),
        }
    )  # fmt: skip
    _write(out, manifest)
    dev = sample_rows("dev")
    with TemporaryDirectory() as folder:
        plain = sample_retriever(encoder, Path(folder))
        before = measured(dev, plain)
        judging = Retriever(plain.store, encoder, reranker=Remembering.load(out, files))
        after = measured(dev, judging)
    figures = {
        "recipe": asdict(recipe),
        "encoder": files.setting,
        "encoder_digest": files.digest,
        "begun_from": "the adapter of the grounding head"
        if start == GROUNDING
        else "a reranker that this command trained before (`--start`)",
        "begun_from_sha256": hashlib.sha256(start.read_bytes()).hexdigest(),
        "data_sha256": digest(groups),
        "questions": len(groups),
        "pairs": sum(len(group.labels) for group in groups),
        "held_out_rows": len(held),
        "held_out_mrr_by_weight": {str(w): round(mean, 4) for w, mean in ranks.items()},
        "held_out_silent_by_weight": {str(w): share for w, share in silent.items()},
        "temperature": temperature,
        "shift": shift,
        "weight": weight,
        "floor": floor,
        "trade_off": table,
        "dev_before": before,
        "dev_after": after,
    }
    (out / METRICS).write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    write_card(out, figures)
    return figures


def reranker_command(
    data_root: Annotated[
        Path | None, typer.Option(help="Folder with dstc9_faq_kb and logingov_help.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path("runs/reranker"),
    seed: Annotated[int, typer.Option()] = Recipe.seed,
    start: Annotated[
        Path | None, typer.Option(help="Folder of a reranker to go on from; default: grounding's.")
    ] = None,
    install: Annotated[bool, typer.Option(help="Serve it from now on.")] = False,
) -> None:
    """Train the reranker: does this piece of a passage answer this question?"""
    begin = start / TENSORS if start else None
    figures = train_reranker(data_root, out, replace(Recipe(), seed=seed), begin)
    for name, value in figures["dev_after"].items():
        print(f"{name:24} {figures['dev_before'][name]} -> {value}")
    if install:
        shutil.copytree(out, DEFAULT, dirs_exist_ok=True)
    print(f"written to {DEFAULT if install else out}")


def _write(out: Path, manifest: Manifest) -> None:
    (out / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")


def training_groups(
    learned: Sequence[Judged], data_root: Path | None, encoder: TextEncoder, recipe: Recipe
) -> list[Group]:
    """Without ``data_root`` the two public sets are left out, which is too little for serving."""
    rng = random.Random(recipe.seed)
    groups: list[Group] = []
    for _ in range(recipe.sample_rounds):
        groups += sample_groups(learned, rng, recipe.units)
    centres = read_centres()
    for _ in range(recipe.centre_rounds):
        groups += centre_groups(centres, encoder, rng, recipe.units)
    groups += synthetic(recipe.synthetic, rng)
    named = {article for one in learned for article in one.row["articles"]}
    groups += pseudo(sample_chunks(named), recipe.pseudo, encoder, rng)
    if data_root is not None:
        groups += dstc9(data_root, recipe.dstc9, rng)
        groups += pseudo(logingov(data_root), recipe.pseudo, encoder, rng)
    return groups


def digest(groups: Sequence[Group]) -> str:
    return hashlib.sha256("\n".join(map(repr, groups)).encode()).hexdigest()
