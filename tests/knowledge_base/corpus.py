"""A help centre of any size, made of invented products and a few hundred building blocks.

Every article is about another product; numbers, parts and places differ, so that chunks are
near one another, as they are in a real product catalogue, and none is a copy of another.
"""

from __future__ import annotations

import random
from pathlib import Path

PRODUCTS = "tent stove jacket boot rucksack lamp kettle bike trailer canoe rope mat bag watch "
PRODUCTS += "filter pump radio battery charger saw drill ladder heater fan camera speaker lens"
LINES = "Alder Birch Cedar Drift Ember Fjord Grove Harbour Iris Juniper Kestrel Lark Moor North"
PARTS = "zip seam valve hose lid strap buckle pole filter fuse cable screen button hinge seal"
PLACES = "Germany Ireland France Spain Italy Norway Sweden Poland Austria Belgium Portugal"
SECTIONS = {
    "Setting it up": (
        "Unpack the {name} and check that the {part} and the {other} are in the box.",
        "Press the {part} for {number} seconds until the light turns green.",
        "The first charge of the {name} takes about {number} hours.",
        "Keep the {other} dry while you set up the {product}.",
        "If the {part} does not fit, turn it by {number} degrees and try again.",
    ),
    "Care and cleaning": (
        "Clean the {part} of the {name} every {number} weeks with warm water and no soap.",
        "Never put the {product} into a machine; the {other} would shrink.",
        "Dry the {name} for at least {number} hours before you store it.",
        "A drop of oil on the {part} keeps it moving.",
        "Replace the {other} after {number} uses or once a year.",
    ),
    "When something is wrong": (
        "A {name} that makes a noise usually has a loose {part}.",
        "Tighten the {other} with {number} turns, and wait for {number} minutes.",
        "If the {product} stays off, take out the {part} and put it back.",
        "When the {other} is cracked, stop using the {name} and order a new one.",
        "Error {number} means that the {part} is too hot.",
    ),
    "Delivery and returns": (
        "Delivery of the {name} to {place} takes {number} working days and costs {number} euros.",
        "You can send the {product} back within {number} days if the {part} is unused.",
        "We refund the {name} within {number} days after it has reached us.",
        "From {place}, the return label is paid for by us.",
        "A {product} that was ordered with a special {other} cannot be returned.",
    ),
}
INTRO = (
    "This article is about the {name}, a {product} for everyday use.",
    "The {name} weighs {number} grams and has a guarantee of {number} years.",
    "It comes with a {part} and a spare {other}.",
)


def write_corpus(folder: Path, articles: int, seed: int = 0) -> None:
    """``articles`` Markdown files of five passages each; the same seed, the same text."""
    for number in range(articles):
        path = folder / f"{number // 500:03d}" / f"article-{number:05d}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(article(number, seed), encoding="utf-8")


def article(number: int, seed: int = 0) -> str:
    chooser = random.Random(seed * 1_000_003 + number)
    product = chooser.choice(PRODUCTS.split())
    name = f"{chooser.choice(LINES.split())} {product} {number}"

    def sentence(pattern: str) -> str:
        words = {"part": PARTS, "other": PARTS, "place": PLACES}
        chosen = {key: chooser.choice(text.split()) for key, text in words.items()}
        return pattern.format(name=name, product=product, number=chooser.randint(2, 90), **chosen)

    def prose(patterns: tuple[str, ...], count: int) -> str:
        picked = [chooser.choice(patterns) for _ in range(count)]
        return " ".join(sentence(pattern) for pattern in picked)

    parts = [f"---\nid: article-{number:05d}\ntitle: {name}\n---\n{prose(INTRO, 3)}"]
    parts += [f"## {title}\n\n{prose(patterns, 6)}" for title, patterns in SECTIONS.items()]
    return "\n\n".join(parts) + "\n"
