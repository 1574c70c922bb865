"""Noise that customers make: typing errors, casing, missing words and marks.

A row with entities keeps its length (only casing and swaps outside its spans), so that its
spans stay true without being moved.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from chatbot.tags import Span


def augment(text: str, spans: Sequence[Span], rng: random.Random) -> str:
    """One kind of noise, drawn by ``rng``; never an empty text."""
    kind = rng.random()
    if kind < 0.3:
        return _recase(text, rng)
    if spans or kind < 0.6:
        return _swap_letters(text, spans, rng)
    if kind < 0.8:
        return _drop_word(text, rng)
    return _typing_error(text, rng)


def _recase(text: str, rng: random.Random) -> str:
    changed = text.upper() if rng.random() < 0.2 else text.lower()
    return changed if len(changed) == len(text) else text  # "ß".upper() would move the spans


def _swap_letters(text: str, spans: Sequence[Span], rng: random.Random) -> str:
    places = [
        i
        for i in range(len(text) - 1)
        if text[i].isalpha()
        and text[i + 1].isalpha()
        and not any(start <= i + 1 and i < end for start, end, _ in spans)
    ]
    for place in rng.sample(places, min(len(places), 1 + len(text) // 50)):
        pair = text[place + 1] + text[place]
        text = text[:place] + pair + text[place + 2 :]
    return text


def _drop_word(text: str, rng: random.Random) -> str:
    words = text.split()
    if len(words) > 3:
        del words[rng.randrange(len(words))]
    return " ".join(words).rstrip("?.! ") or text


def _typing_error(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text))
    if rng.random() < 0.5 and len(text) > 3:
        return text[:place] + text[place + 1 :]
    return text[:place] + text[place] + text[place:]
