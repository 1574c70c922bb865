"""``python -m finetune reranker``: does this piece of a passage answer this question?

Cross-encoders learn it from the sample company's train questions, from invented help centres
and from public help texts: first the small one that judges every candidate, then (``--second``)
the larger one that judges the best of them again. A quarter of the train questions, by article,
is kept out of training: it gives the temperature, the weight beside the fused relevance, and the
floor.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from chatbot.safety import grounding_head
from finetune.reranker_card import write_card
from finetune.reranker_measure import (
    WEIGHTS,
    Remembering,
    best_weight,
    candidate_logits,
    floor_row,
    measured,
    mixed,
    platt,
    probabilities,
    reciprocal_ranks,
    trade_off,
)
from finetune.reranker_recipe import MORE, SECOND, Recipe, digest, phases_of_second, training_groups
from finetune.reranker_rows import Judged, judged_rows, sample_retriever, sample_rows
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.reranker import (
    DEFAULT,
    MANIFEST,
    SECOND_TENSORS,
    TENSORS,
    Manifest,
    Reranker,
    Stage,
    read_manifest,
    second_encoder,
)
from knowledge_base.retriever import Retriever

GROUNDING = Path(grounding_head.__file__).parent / "weights" / "grounding" / grounding_head.TENSORS
"""Where training begins: an adapter of the same shape that compares a claim with evidence."""
METRICS = ("metrics.json", "second-metrics.json")
CARDS = ("card.md", "second-card.md")
"""Of the first stage and of the second."""


def train_reranker(
    data_root: Path | None,
    out: Path,
    recipe: Recipe | None = None,
    start: Path | None = None,
    *,
    second: bool = False,
) -> dict[str, Any]:
    """Trains, calibrates, measures on dev, writes all files; returns the figures.

    ``start``: the tensors to begin from, by default the grounding head's, and for the second stage
    none. ``second``: the second stage; ``out`` must hold a first one, or the packaged one is
    copied there. An interrupted run goes on. Raises SetupError for missing data.
    """
    from safetensors.torch import save_file

    from finetune.late_interaction import train_late_interaction
    from finetune.reranker_train import train_cross_encoder

    recipe = recipe or (SECOND if second else Recipe())
    out.mkdir(parents=True, exist_ok=True)
    encoder = TransformerEncoder(EncoderFiles())
    files = second_encoder(encoder.files) if second else encoder.files
    if second and not (out / MANIFEST).exists():
        shutil.copytree(DEFAULT, out, dirs_exist_ok=True)
    begin = start or (None if second else GROUNDING)
    judged = judged_rows(sample_rows("train"), encoder)
    learned = [one for one in judged if not one.held_out]
    if second:
        phases = phases_of_second(learned, data_root, encoder, recipe)
    else:
        phases = [training_groups(learned, data_root, encoder, recipe)]
    groups = [group for phase in phases for group in phase]
    print(f"{sum(len(g.labels) for g in groups)} pairs of {len(groups)} questions", flush=True)
    if second:
        late = train_late_interaction(phases, files, recipe, begin, out)
        save_file(late.tensors(), out / SECOND_TENSORS)
    else:
        model = train_cross_encoder(groups, files, recipe, begin, out)
        save_file(model.tensors(), out / TENSORS)
    held = [one for one in judged if one.held_out]
    facts = {
        "recipe": asdict(recipe),
        "begun_from": _begun_from(begin),
        "data_sha256": digest(groups),
        "questions": len(groups),
        "pairs": sum(len(group.labels) for group in groups),
    }
    return finish(held, out, encoder, files, recipe, facts, second=second)


def finish(
    held: Sequence[Judged],
    out: Path,
    encoder: TransformerEncoder,
    files: EncoderFiles,
    recipe: Recipe,
    facts: dict[str, Any],
    *,
    second: bool = False,
) -> dict[str, Any]:
    """Calibrates the tensors that lie in ``out`` on the rows held out, and measures on dev.

    ``files`` are the stage's encoder, ``encoder`` the shared one; ``facts`` go into the figures.
    """
    stage = Stage(
        encoder=files.setting, encoder_digest=files.digest, scale=recipe.alpha / recipe.rank
    )
    manifest = Manifest(first=stage)
    if second:
        manifest = read_manifest(out).model_copy(update={"second": stage})
    manifest = _with(out, manifest, stage, second)
    shared, stages = encoder.files, 2 if second else 1
    judge = Reranker.load(out, shared, stages=stages)
    calibration = platt(held, candidate_logits(held, judge))
    stage = stage.model_copy(update=calibration)
    manifest = _with(out, manifest, stage, second)
    judge.manifest = manifest
    own = probabilities(held, judge)
    scores = {w: mixed(held, own, w) for w in WEIGHTS}
    found = {w: reciprocal_ranks(held, ranked) for w, ranked in scores.items()}
    ranks = {w: sum(ranked) / len(ranked) for w, ranked in found.items()}
    tables = {w: trade_off(held, ranked) for w, ranked in scores.items()}
    silent = {w: floor_row(table)["unanswerable_silent"] for w, table in tables.items()}
    weight = best_weight(ranks, silent)
    table = tables[weight]
    chosen = {"weight": weight, "floor": floor_row(table)["floor"], "trade_off": tuple(table)}
    _with(out, manifest, stage.model_copy(update=chosen), second)
    dev = sample_rows("dev")
    with TemporaryDirectory() as folder:
        plain = sample_retriever(encoder, Path(folder))
        before = measured(dev, plain)
        judging = Remembering.load(out, shared, stages=stages)
        after = measured(dev, Retriever(plain.store, encoder, reranker=judging))
    figures = facts | {
        "encoder": files.setting,
        "encoder_digest": files.digest,
        "held_out_rows": len(held),
        "held_out_mrr_by_weight": {str(w): round(mean, 4) for w, mean in ranks.items()},
        "held_out_silent_by_weight": {str(w): share for w, share in silent.items()},
        **calibration,
        **chosen,
        "dev_before": before,
        "dev_after": after,
    }
    (out / METRICS[second]).write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    write_card(out / CARDS[second], figures, second=second)
    return figures


def reranker_command(
    data_root: Annotated[
        Path | None, typer.Option(help="Folder with dstc9_faq_kb and logingov_help.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the trained model.")] = Path("runs/reranker"),
    seed: Annotated[int, typer.Option()] = Recipe.seed,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a reranker to go on from; default: grounding's adapter, and with "
            "--second the encoder as published. With --second the harder questions alone."
        ),
    ] = None,
    second: Annotated[
        bool, typer.Option("--second", help="Train the second stage, the larger encoder.")
    ] = False,
    install: Annotated[bool, typer.Option(help="Serve it from now on.")] = False,
) -> None:
    """Train the reranker: does this piece of a passage answer this question?"""
    begin = start / (SECOND_TENSORS if second else TENSORS) if start else None
    if begin is not None and not begin.is_file():
        raise typer.BadParameter(f"{begin} does not exist", param_hint="--start")
    second_recipe = MORE if start else SECOND
    recipe = replace(second_recipe if second else Recipe(), seed=seed)
    figures = train_reranker(data_root, out, recipe, begin, second=second)
    for name, value in figures["dev_after"].items():
        print(f"{name:24} {figures['dev_before'][name]} -> {value}")
    if install:
        shutil.copytree(out, DEFAULT, dirs_exist_ok=True)
    print(f"written to {DEFAULT if install else out}")


def _with(out: Path, manifest: Manifest, stage: Stage, second: bool) -> Manifest:
    """Written to ``out``: the manifest with this stage."""
    manifest = manifest.model_copy(update={"second" if second else "first": stage})
    (out / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")
    return manifest


def _begun_from(start: Path | None) -> str:
    if start is None:
        return "the encoder as it is"
    name = "the adapter of the grounding head"
    if start != GROUNDING:
        name = "a reranker that this command trained before (`--start`)"
    return f"{name} (SHA-256 {hashlib.sha256(start.read_bytes()).hexdigest()[:16]})"
