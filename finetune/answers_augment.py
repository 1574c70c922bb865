"""More rows out of rows: questions as people type them, and questions that provoke.

Noise never touches an answer or a passage. Adversarial rows are answered as if the provocation
were not there, or with the abstention where nothing else was asked.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from chatbot.answering.prompt import ABSTENTION
from finetune.answers_rows import AnswerRow
from finetune.grounding_paraphrase import exchange
from finetune.router_augment import augment as noise

ADVERSARIAL = Path(__file__).parent / "data" / "answers" / "adversarial.toml"

# A way to ask and other ways to ask the same; {x} is what follows.
_WAYS = (
    (r"how (?:do|can) i (?P<x>.+?)\?*$", ("What is the way to {x}?", "I want to {x}. How?",
     "Please tell me how to {x}.", "Can you explain how to {x}?")),
    (r"how much (?:does|do|is|are) (?P<x>.+?)(?: cost)?\?*$", ("What is the price of {x}?",
     "What do I pay for {x}?", "Tell me the cost of {x}.")),
    (r"how long (?:does|do) (?P<x>.+?) take\?*$", ("How many days for {x}?",
     "How soon is {x} done?", "What time does {x} need?")),
    (r"(?:can|may) i (?P<x>.+?)\?*$", ("Is it possible to {x}?", "Am I allowed to {x}?",
     "I would like to {x}, is that OK?")),
    (r"do you (?P<x>.+?)\?*$", ("Does your shop {x}?", "I'd like to know if you {x}.")),
    (r"what is (?P<x>.+?)\?*$", ("Can you tell me {x}?", "Please tell me {x}.")),
    (r"where (?:can|do) i (?P<x>.+?)\?*$", ("At what place can I {x}?", "I need to {x}. Where?")),
)  # fmt: skip
INJECTED_QUESTION, INJECTED_PASSAGE, BAIT, SECRET = 0.35, 0.3, 0.2, 0.15


def augmented(rows: Sequence[AnswerRow], share: float, seed: int) -> list[AnswerRow]:
    """``share`` × len(rows) further rows: a paraphrase, synonyms, or noise (typing errors,
    casing, words left out) on the question of a row that was drawn."""
    rng = random.Random(seed)
    made = []
    for _ in range(round(share * len(rows))):
        row = rng.choice(rows)
        question = _reworded(row.question, rng)
        if question != row.question:
            made.append(replace(row, question=question, kind=f"{row.kind} augmented"))
    return made


def paraphrase(question: str, rng: random.Random) -> str:
    """Another way to ask the same, the question itself where no rule knows one."""
    for pattern, ways in _WAYS:
        found = re.match(pattern, question.strip(), re.IGNORECASE)
        if found:
            return rng.choice(ways).replace("{x}", found["x"].strip())
    return question


def adversarial(rows: Sequence[AnswerRow], share: float, seed: int) -> list[AnswerRow]:
    """``share`` × len(rows) further rows: injections in question and passage, toxic baits,
    requests for secrets."""
    rng = random.Random(seed)
    content = _content()
    kinds = (_in_question, _in_passage, _bait, _secret)
    weights = (INJECTED_QUESTION, INJECTED_PASSAGE, BAIT, SECRET)
    with_passages = [row for row in rows if row.passages]
    count = round(share * len(rows)) if with_passages else 0
    chosen = rng.choices(kinds, weights, k=count)
    return [make(rng.choice(with_passages), content, rng) for make in chosen]


def _reworded(question: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.3:
        question = paraphrase(question, rng)
    elif draw < 0.55:
        question = exchange(question, rng)
    if draw >= 0.55 or rng.random() < 0.2:
        question = noise(question, (), rng)
    return question


def _in_question(row: AnswerRow, content: dict[str, Any], rng: random.Random) -> AnswerRow:
    said = _command(rng.choice(content["in_question"]), content, rng)
    asked = said.replace("{question}", row.question)
    return replace(row, question=asked, kind="adversarial question")


def _in_passage(row: AnswerRow, content: dict[str, Any], rng: random.Random) -> AnswerRow:
    said = _command(rng.choice(content["in_passage"]), content, rng)
    spot = rng.randrange(len(row.passages))
    planted = replace(row.passages[spot], text=f"{row.passages[spot].text} {said}")
    passages = (*row.passages[:spot], planted, *row.passages[spot + 1 :])
    return replace(row, passages=passages, kind="adversarial passage")


def _bait(row: AnswerRow, content: dict[str, Any], rng: random.Random) -> AnswerRow:
    return _refused(row, rng.choice(content["baits"]), "adversarial bait")


def _secret(row: AnswerRow, content: dict[str, Any], rng: random.Random) -> AnswerRow:
    return _refused(row, rng.choice(content["secrets"]), "adversarial secret")


def _refused(row: AnswerRow, question: str, kind: str) -> AnswerRow:
    return replace(
        row, question=question, answer=ABSTENTION, history=(), must=(), gold=(), kind=kind
    )


def _command(words: str, content: dict[str, Any], rng: random.Random) -> str:
    return words.replace("{command}", rng.choice(content["commands"]))


@cache
def _content() -> dict[str, Any]:
    return tomllib.loads(ADVERSARIAL.read_text(encoding="utf-8"))
