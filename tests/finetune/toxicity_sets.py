"""Small sets of sentences of our own, for the tests of the toxicity trainer."""

from __future__ import annotations

import json

from finetune.toxicity_recipe import Recipe

TINY = Recipe(
    epochs=1.0, attitude_rows=12, tokens_per_batch=512, checkpoint_every=2, rank=4, blends=(1.0,),
    teacher="",
)  # fmt: skip
INSULTS = ("idiot", "moron", "fool", "clown", "liar", "pig", "rat", "loser", "halfwit", "creep")
THINGS = ("tent", "lamp", "kettle", "bike", "stove", "rope", "jacket", "boot", "map", "torch")


def family_row(family: str, word: str, split: str) -> str:
    labels = dict.fromkeys(("toxic", "insult"), 1)
    row = {"text": f"Where is it, {word}?", "kind": "abuse_of_agent", "labels": labels}
    return json.dumps(row | {"split": split, "family": f"{family} in {split}"}) + "\n"
