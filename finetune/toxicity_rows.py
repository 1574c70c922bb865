"""Which rows a run learns from, and which of dev and test it is measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from chatbot.safety.toxicity import MAX_CHARS
from finetune.centres import FOLDER as CENTRES
from finetune.toxicity_augment import misspelt, support_variants
from finetune.toxicity_data import Row, bias_aware, read_training_sets
from finetune.toxicity_groups import read_groups
from finetune.toxicity_own import (
    ARTICLES_DIR,
    CONTRAST_DIR,
    read_articles,
    read_centre_articles,
    read_contrast,
    read_families,
)
from finetune.toxicity_recipe import Recipe

SMALL_SETS = (
    "contrast_",
    "group_",
    "desk_",
    "bot_",
    "attitude_",
    "legit",
    "tone_",
    "article",
    "hatemoji",
    "jigsaw",
)
GROUP_SHARE = 2.0
"""Weight of a statement about groups, in contrast rows: it stands for its four fillings."""
SCORED_ROWS = 5600  # of dev and of test, for thresholds: through the real scorer, views and all


def collect_rows(
    data_root: Path,
    recipe: Recipe,
    contrast: Path = CONTRAST_DIR,
    articles: Path = ARTICLES_DIR,
    centres: Path = CENTRES,
) -> list[Row]:
    """All rows of all splits, in an order that depends on the files and the seed alone."""
    rows = [row for row in read_training_sets(data_root) if _kept(row, recipe)]
    rows += support_variants(rows, recipe.seed, recipe.attitude_rows)
    rows += read_contrast(contrast, recipe.contrast_weight)
    rows += read_families(contrast, recipe.contrast_weight)
    rows += read_groups(contrast, GROUP_SHARE * recipe.contrast_weight)
    rows += read_articles(articles)
    rows += read_centre_articles(centres)
    rows += misspelt(rows, recipe.seed, own=recipe.own_copies)
    return [bias_aware(row) for row in rows]


def _kept(row: Row, recipe: Recipe) -> bool:
    """Whether a training row of a set of others is used; dev and test are whole."""
    if row.split != "train":
        return True
    if row.source.startswith("support_"):
        share = recipe.support_share
    elif row.source == "hatemoji":
        share = recipe.hatemoji_share
    else:
        share = recipe.replay_share * (recipe.civil_share if row.source == "civil" else 1.0)
    digest = hashlib.sha256(b"share" + row.text.encode("utf-8", "replace")).digest()
    return digest[0] < share * 256


def sample(rows: Sequence[Row], split: str) -> list[Row]:
    """At most SCORED_ROWS rows of a split: all of the small sets, every n-th of the large."""
    mine = [row for row in rows if row.split == split and len(row.text) <= MAX_CHARS]
    small = [r for r in mine if r.source.startswith(SMALL_SETS)]
    large = [r for r in mine if not r.source.startswith(SMALL_SETS)]
    step = max(1, len(large) // max(1, SCORED_ROWS - len(small)))
    return small + large[::step]
