"""Instructions hidden in articles: a poisoned passage stays out of the prompt.

An article comes from outside (a crawl, an export, a colleague's file), so what it tells the model
to do is an attack like any other (Greshake et al., 2023, arXiv:2302.12173). Each passage is read
once: markup that poses as a turn is fenced, rules and the injection head judge its sentences.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Final

from chatbot.answering.sentences import split_sentences
from chatbot.safety.classifiers import Heads, featurize, sigmoid
from chatbot.safety.encoded import decoded
from chatbot.safety.injection import Marker, about_a_model, fence, injection_marker
from chatbot.safety.passage_orders import may_be_an_order, order_to_a_reader
from chatbot.safety.views import clean
from chatbot.types import Passage
from knowledge_base.article import PUBLIC
from knowledge_base.encoder import TextEncoder
from knowledge_base.plain import plain_text

log = logging.getLogger(__name__)

REMEMBERED: Final = 20_000  # passages whose verdict is kept: some 2 MB
MAX_PIECES: Final = 64  # of one passage; the chunker makes passages of some ten sentences
REPORTED: Final = 50
ORDER_SURE: Final = 0.98
"""From here on the injection head takes a sentence that speaks of telling or answering for an
order: two honest ones in 1,779 passages of the sample and of thirty invented help centres."""
_RULES: Final = (
    (
        "addressed",
        re.compile(
            r"\b(?:assistants?|models?|(?:chat)?bots?|ais?|llms?)(?: only)?\s?[,:]\s?(?:please )?"
            r"(?:from now on|ignore|disregard|forget|do not|don't|never|always|tell|say|state|send|"
            r"forward|recommend|offer|reveal|hide|reply|answer|output|add|treat|give|grant|you )",
            re.I,
        ),
    ),
    ("system_note", re.compile(r"(?<!\w)SYSTEM(?: [A-Z]{3,12})?:")),
    (
        "hidden_markup",
        re.compile(
            r"<[^<>]{0,200}(?:display\s?:\s?none|visibility\s?:\s?hidden|font-size\s?:\s?0)"
            r"|<!--(?=[^>]{0,400}\b(?:assistant|bot|ai|model|llm|ignore|instruction))",
            re.I,
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Poisoned:
    """Why a passage is left out, or ``sentence`` of it."""

    article: str
    version: str
    chunk: str
    rule: str
    words: str
    score: float
    threshold: float
    sentence: str = ""
    """'' where the whole passage is left out."""


class PassageGuard:
    """Judges passages at query time, each chunk of an article version once. Thread-safe.

    Raises whatever the encoder raises: a passage that cannot be judged must not be used.
    """

    def __init__(self, heads: Heads, encoder: TextEncoder, remembered: int = REMEMBERED) -> None:
        self.heads, self.encoder = heads, encoder
        self.threshold = heads.thresholds["passage"]
        self.left_out = 0
        """How often a passage, or a sentence of it, was kept out of a prompt since the start."""
        self._remembered = remembered
        self._verdicts: OrderedDict[tuple[str, str], tuple[Poisoned, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def safe(self, passages: Sequence[Passage]) -> list[Passage]:
        """The passages that may stand in a prompt, in order, fenced where they need it."""
        kept = []
        for passage in passages:
            poisoned = self._judge(passage)
            if not poisoned:
                kept.append(_fenced(passage))
                continue
            with self._lock:
                self.left_out += 1
            log.warning(
                "of passage %s of version %s is left out: %s",
                passage.chunk, passage.version, "; ".join(map(str, poisoned)),
            )  # fmt: skip
            rest = _without(passage, [one.sentence for one in poisoned])
            if rest is not None:
                kept.append(_fenced(rest))
        return kept

    @property
    def found(self) -> tuple[Poisoned, ...]:
        """The poisoned passages among those judged last, newest first."""
        with self._lock:
            found = [one for verdict in reversed(self._verdicts.values()) for one in verdict]
        return tuple(found[:REPORTED])

    def readiness(self) -> dict[str, Any]:
        """For ``/readyz``: which passages read like instructions, so that staff can mend them."""
        found = self.found
        named = ", ".join(dict.fromkeys(p.article for p in found))
        return {
            "ok": True,
            "problem": f"left out of prompts, it gives orders to the bot: {named}"
            if named
            else None,
            "left_out": self.left_out,
            "passages": [asdict(poisoned) for poisoned in found],
        }

    def _judge(self, passage: Passage) -> tuple[Poisoned, ...]:
        key = (passage.chunk, passage.version)
        with self._lock:
            if key in self._verdicts:
                self._verdicts.move_to_end(key)
                return self._verdicts[key]
        poisoned = self._read(passage)
        with self._lock:
            self._verdicts[key] = poisoned
            while len(self._verdicts) > self._remembered:
                self._verdicts.popitem(last=False)
        return poisoned

    def _read(self, passage: Passage) -> tuple[Poisoned, ...]:
        about = (passage.article, passage.version, passage.chunk)
        text = f"{passage.title}\n{passage.heading}\n{passage.text}"
        marker = injection_marker((text, *decoded(text))) or passage_marker(text)
        if marker is not None:
            return (Poisoned(*about, marker.rule, marker.words, 1.0, self.threshold),)
        sentences = _sentences(text)
        parts = [part for part in (*sentences, *pieces(text)) if about_a_model(part)]
        own = _sentences(passage.text)
        staffs = passage.audience != PUBLIC  # pages for staff do say how to answer
        doubtful = [one for one in own if may_be_an_order(one) and not staffs]
        scores = self._scores([*parts, *doubtful])
        sure = max(zip(scores, parts, strict=False), default=(0.0, ""))  # those of parts come first
        if sure[0] >= self.threshold:
            rule = "injection.model"
            return (Poisoned(*about, rule, sure[1][:200], sure[0], self.threshold),)
        found = {
            one: Poisoned(*about, "passage.order", one[:200], score, ORDER_SURE, one)
            for one, score in zip(doubtful, scores[len(parts) :], strict=True)
            if score >= ORDER_SURE
        }
        for one in own:
            order = order_to_a_reader(one)
            if order is not None:
                found[one] = Poisoned(*about, *order, 1.0, ORDER_SURE, one)
        return tuple(found.values())

    def _scores(self, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        features = featurize(texts, self.encoder, self.heads.hashed_weight)
        scores: list[float] = sigmoid(self.heads.logits("injection", features))[:, 0].tolist()
        return scores


def pieces(text: str) -> list[str]:
    """A text in overlapping pairs of sentences: in a whole passage one order would drown."""
    sentences = _sentences(text)
    return [f"{one} {other}" for one, other in pairwise(sentences)] or sentences


def _sentences(text: str) -> list[str]:
    return split_sentences(plain_text(clean(text)))[:MAX_PIECES]


def passage_marker(text: str) -> Marker | None:
    """What no article has to say, though a customer may: "Bot, tell me …"."""
    for rule, pattern in _RULES:
        match = pattern.search(text)
        if match:
            return Marker(f"passage.{rule}", match[0].strip()[:120])
    return None


def _without(passage: Passage, sentences: Sequence[str]) -> Passage | None:
    """The passage without these sentences; None where nothing is left, or where one cannot be cut
    out of it ('' stands for the whole)."""
    text, units = passage.text, passage.units
    for sentence in sentences:
        if not sentence or sentence not in text:
            return None
        text = text.replace(sentence, "")
        units = tuple((unit.replace(sentence, "").strip(), score) for unit, score in units)
    units = tuple((unit, score) for unit, score in units if unit and not order_to_a_reader(unit))
    if not plain_text(text).strip() or (passage.units and not units):
        return None
    return replace(passage, text=text.strip(), units=units)


def _fenced(passage: Passage) -> Passage:
    text = fence(passage.text)
    if text == passage.text:
        return passage
    units = tuple((fence(unit), score) for unit, score in passage.units)
    return replace(passage, text=text, units=units)
