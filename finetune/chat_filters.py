"""Which exchanges may be learnt from, cheapest question first; what is dropped is counted.

Personal data becomes placeholders, except what the articles say themselves. Toxic and ungrounded
answers are found by the gate's own parts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chatbot.routing.language import detect_language
from chatbot.safety.moderation import Moderator
from chatbot.safety.pii import find_entities, redact
from chatbot.safety.pii_tagger import Tagger
from chatbot.types import HistoryMessage, Side
from finetune.chat_records import Exchange
from finetune.near_duplicates import NearDuplicates

MAX_QUESTION_WORDS, MAX_ANSWER_WORDS, MIN_ANSWER_WORDS = 250, 120, 2
EXAMPLES = 20  # of each reason, for the report
BATCH = 64
_WORD = re.compile(r"\w+")


@dataclass
class Dropped:
    """Why, how often, and some of them to read."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, reason: str, exchange: Exchange, detail: str = "") -> None:
        example = {"question": exchange.question, "answer": exchange.answer, "detail": detail}
        self.note(reason, {"where": exchange.where} | example)

    def note(self, reason: str, example: dict[str, Any]) -> None:
        self.counts[reason] += 1
        if len(self.examples[reason]) < EXAMPLES:
            self.examples[reason].append(example)


def scrubbed(
    exchanges: Iterable[Exchange], public: str, tagger: Tagger | None = None
) -> Iterator[tuple[Exchange, int]]:
    """Each exchange with placeholders in place of personal data, and how many values those are.
    One conversation's value is one placeholder in all of its texts. ``public`` are texts that
    anybody may read: what stands in them stays."""
    known: dict[str, dict[str, str]] = defaultdict(dict)
    for exchange in exchanges:
        names = known[exchange.conversation]

        def clean(text: str, names: dict[str, str] = names) -> str:
            entities = [e for e in find_entities(text, tagger=tagger) if e.text not in public]
            replaced, found = redact(text, entities, names)
            names |= found
            return replaced

        history = tuple(HistoryMessage(m.role, clean(m.text)) for m in exchange.history)
        question, answer = clean(exchange.question), clean(exchange.answer)
        yield replace(exchange, question=question, answer=answer, history=history), len(names)


def fitting(exchanges: Iterable[Exchange], language: str, dropped: Dropped) -> Iterator[Exchange]:
    """Of the wanted language (or too short to tell) and of a length that is learnt from."""
    for exchange in exchanges:
        asked, said = (len(t.split()) for t in (exchange.question, exchange.answer))
        code = detect_language(f"{exchange.question} {exchange.answer}").code
        if said < MIN_ANSWER_WORDS or not _WORD.search(exchange.question):
            dropped.add("empty or one word", exchange)
        elif asked > MAX_QUESTION_WORDS or said > MAX_ANSWER_WORDS:
            dropped.add("too long", exchange, f"{asked} and {said} words")
        elif code not in (None, language):
            dropped.add("another language", exchange, str(code))
        else:
            yield exchange


def distinct(
    exchanges: Iterable[Exchange], held_out: Sequence[str], dropped: Dropped
) -> Iterator[Exchange]:
    """Without repetitions, nor questions that an evaluation asks (``held_out``)."""
    evaluated = NearDuplicates()
    for text in held_out:
        evaluated.add(text)
    exact: dict[str, str] = {}
    near = NearDuplicates()
    places: list[str] = []
    for exchange in exchanges:
        asked = evaluated.match(exchange.question)
        if asked is not None:
            dropped.add("asked in an evaluation", exchange, held_out[asked])
            continue
        whole = f"{exchange.question}\n{exchange.answer}"
        key = " ".join(_WORD.findall(whole.lower()))
        if key in exact:
            dropped.add("exact duplicate", exchange, exact[key])
            continue
        match = near.match(whole)
        if match is not None:
            dropped.add("near duplicate", exchange, places[match])
            continue
        exact[key] = exchange.where
        near.add(whole)
        places.append(exchange.where)
        yield exchange


def civil(
    exchanges: Iterable[Exchange], moderator: Moderator, dropped: Dropped
) -> Iterator[Exchange]:
    """Answers that the gate would hold as toxic are no targets."""
    page: list[Exchange] = []
    for exchange in exchanges:
        page.append(exchange)
        if len(page) == BATCH:
            yield from _civil(page, moderator, dropped)
            page = []
    yield from _civil(page, moderator, dropped)


def _civil(page: Sequence[Exchange], moderator: Moderator, dropped: Dropped) -> Iterator[Exchange]:
    if not page:
        return
    found = moderator.moderate_many([exchange.answer for exchange in page], Side.BOT)
    for exchange, moderation in zip(page, found, strict=True):
        if moderation.flagged:
            dropped.add("toxic answer", exchange, moderation.reasons[0].detail)
        else:
            yield exchange
