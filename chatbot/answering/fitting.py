"""What the reranker does not see of a unit: what the bot has just said, whose name it bears, of
which country it speaks, and into which range a number falls.

A follow-up is judged together with the question before it, so what answered that one comes first
again. And to a network a Tarn 2 is nearly a Tarn 3, and 93 cm nearly in "85 to 89".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from chatbot.answering.ranges import outside
from chatbot.safety.grounding_words import (
    another_of_its_name,
    numbered_names,
    of_another_place,
    places_of,
)
from chatbot.types import HistoryMessage, Passage

SAID = 0.5
"""What a unit that the bot has just said is worth: on dev and train the best unit of a follow-up
then satisfies its row in 69% and 71%, before in 59% and 68%."""
SAID_WORDS = 0.6  # of the unit's words, and all its numbers, in the bot's last message
OTHER_NAME = 0.3  # what a unit about the Tarn 2 is worth to a question about the Tarn 3
OTHER_PLACE = 0.3  # what the price for Northern Ireland is worth to a question about Ireland
OUTSIDE = 0.3  # what the row of another range is worth where one row holds the number asked about
_WORD = re.compile(r"\w{3,}|\d+")


def fitted(
    passages: Sequence[Passage], question: str, history: Sequence[HistoryMessage]
) -> tuple[Passage, ...]:
    """The passages with the probabilities of such units lowered; order and scores stay."""
    said = _words(next((m.text for m in reversed(history) if m.role != "customer"), ""))
    asked = [m.text for m in reversed(history) if m.role == "customer"][:1]
    names = numbered_names(question) or numbered_names(" ".join(asked))
    places = places_of(question) or places_of(" ".join(asked))

    def worth(unit: str) -> float:
        words = _words(unit)
        numbers = {word for word in words if word.isdigit()}
        known = numbers <= said and len(words & said) >= max(1, SAID_WORDS * len(words))
        other = OTHER_NAME if another_of_its_name(unit, names) else 1.0
        elsewhere = OTHER_PLACE if of_another_place(unit, places) else 1.0
        return (SAID if known else 1.0) * other * elsewhere

    def fitting(passage: Passage) -> Passage:
        missed = outside([text for text, _ in passage.units], question)
        return replace(
            passage,
            units=tuple(
                (text, score * worth(text) * (OUTSIDE if place in missed else 1.0))
                for place, (text, score) in enumerate(passage.units)
            ),
        )

    return tuple(fitting(passage) for passage in passages)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
