"""What the reranker's two stages are trained on, and how."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.centres import read_centres
from finetune.reranker_rows import Group, Judged, sample_chunks, sample_groups
from finetune.reranker_sources import centre_groups, dstc9, logingov, pseudo, synthetic
from knowledge_base.encoder import TextEncoder


@dataclass(frozen=True)
class Recipe:
    rank: int = 16
    alpha: int = 32
    seed: int = 7
    first_block: int = 0
    """Of the encoder; those before stay as they are."""
    learning_rate: float = 8e-4
    batch: int = 36
    """Units in a batch, about."""
    sample_rounds: int = 3
    """How often each train question is seen, each time worn differently."""
    centre_rounds: int = 2
    """The same for the questions of the invented help centres."""
    units: int = 14
    """Of one question in training; serving judges about 60."""
    synthetic: int = 150
    """Invented pages, about five questions each."""
    newest: int | None = None
    """Of each help centre, so many of its last questions; None: all."""
    dstc9: int = 700
    pseudo: int = 70
    """Questions made of the train articles, and as many of Login.gov's."""


SECOND = Recipe(
    first_block=4, learning_rate=3e-4, batch=48, units=12, synthetic=60, dstc9=700
)  # 67,000 units, 40 minutes on two cores
MORE = replace(
    SECOND,
    learning_rate=1.5e-4,
    sample_rounds=1,
    centre_rounds=1,
    newest=56,
    synthetic=0,
    dstc9=150,
)
"""The second stage goes on from weights that have seen the rest (``--start``): 15 minutes."""


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


def phases_of_second(
    learned: Sequence[Judged], data_root: Path | None, encoder: TextEncoder, recipe: Recipe
) -> list[list[Group]]:
    """Rounds of the help centres' questions, the sample company's spread over them, differently
    worn each time; what is further from serving only in the first phase."""
    rng = random.Random(recipe.seed)
    centres = [
        replace(one, questions=one.questions[-recipe.newest :]) if recipe.newest else one
        for one in read_centres()
    ]
    samples = [sample_groups(learned, rng, recipe.units) for _ in range(recipe.sample_rounds)]
    rounds = [
        centre_groups(centres, encoder, rng, recipe.units) for _ in range(recipe.centre_rounds)
    ]
    far = synthetic(recipe.synthetic, rng) if recipe.synthetic else []
    if data_root is not None:
        far += dstc9(data_root, recipe.dstc9, rng)
    rounds[0] += far
    for number, sample in enumerate(samples):
        rounds[number * len(rounds) // len(samples)] += sample
    return rounds


def digest(groups: Sequence[Group]) -> str:
    return hashlib.sha256("\n".join(map(repr, groups)).encode()).hexdigest()
