"""Which curated answer a question surely means.

A question is matched by meaning and by words together: the cosine of the two questions, times
the share of the asked words (weighed by rarity) that stand in the curated question or answer.
The cosine alone takes "litres per minute of the filter" for "litres until the filter is spent".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from knowledge_base import fields as given
from knowledge_base.curated import CuratedAnswer
from knowledge_base.fields import PUBLIC
from knowledge_base.lexical import words
from knowledge_base.locales import serves
from knowledge_base.snapshot import Snapshot

_DENIAL = re.compile(
    r"\b(?:not|no|never|without|cannot|nicht|kein\w{0,2}|nie|ohne|niet|geen|nooit|zonder|pas|jamais|sans|nunca|sin"
    r"|non|mai|senza)\b|n['’]t\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class CuratedMatch:
    answer: CuratedAnswer
    question: str
    """The wording that came nearest."""
    score: float
    """0..1"""


def match_curated(
    snapshot: Snapshot,
    query: str,
    vector: NDArray[np.float32],
    *,
    audiences: Collection[str] = (PUBLIC,),
    on: date | None = None,
    locale: str | None = None,
) -> CuratedMatch | None:
    """The curated answer to a question, or None when none is surely meant.

    ``vector`` is the encoder's of ``query``, shape (dimension,).
    """
    best = nearest_curated(snapshot, query, vector, 1, audiences=audiences, on=on, locale=locale)
    sure = best and best[0].score >= snapshot.curated.calibration.threshold
    return best[0] if sure else None


def nearest_curated(
    snapshot: Snapshot,
    query: str,
    vector: NDArray[np.float32],
    k: int = 5,
    *,
    audiences: Collection[str] = (PUBLIC,),
    on: date | None = None,
    locale: str | None = None,
) -> list[CuratedMatch]:
    """The ``k`` nearest curated answers, best first, whatever their score."""
    shown = _shown(snapshot, audiences, on or date.today(), locale)
    best: dict[str, CuratedMatch] = {}
    for row, score in curated_scores(snapshot, query, vector, shown=shown).items():
        answer, asked = snapshot.curated.questions[row]
        former = best.get(answer.id)
        if former is None or score > former.score:
            best[answer.id] = CuratedMatch(answer, asked, round(score, 4))
    return sorted(best.values(), key=lambda match: (-match.score, match.answer.id))[:k]


def curated_scores(
    snapshot: Snapshot,
    query: str,
    vector: NDArray[np.float32],
    depth: int = 20,
    shown: Collection[str] | None = None,
) -> dict[int, float]:
    """Row of a curated question -> score 0..1, for the ``depth`` nearest by cosine among those of
    the answers that ``shown`` names, None for all."""
    curated = snapshot.curated
    if not curated.answers:
        return {}
    cosines = curated.vectors @ vector
    asked = words(query, snapshot.language)
    scores = {}
    rows = (
        row
        for row in np.argsort(-cosines, kind="stable").tolist()
        if shown is None or curated.questions[row][0].id in shown
    )
    for row in islice(rows, depth):
        answer, question = curated.questions[row]
        if asked and _said(query) == _said(question):
            scores[row] = 1.0
            continue
        if bool(_DENIAL.search(query)) != bool(_DENIAL.search(question)):
            scores[row] = 0.0  # a word of no weight that turns a question round
            continue
        known = words(" ".join((*answer.questions, answer.answer)), snapshot.language)
        scores[row] = max(float(cosines[row]), 0.0) * _covered(snapshot, asked, set(known))
    return scores


def _said(text: str) -> list[str]:
    """Every word as it stands: "not" and "from" are no less than the others here."""
    return re.findall(r"\w+", text.casefold().replace("’", "'"))


def best_curated_score(snapshot: Snapshot, query: str, vector: NDArray[np.float32]) -> float:
    return max(curated_scores(snapshot, query, vector).values(), default=0.0)


def _covered(snapshot: Snapshot, asked: Sequence[str], known: Collection[str]) -> float:
    weights = {word: snapshot.lexical.weight(word) for word in asked}
    total = sum(weights.values())
    return sum(w for word, w in weights.items() if word in known) / total if total else 0.0


def _shown(
    snapshot: Snapshot, audiences: Collection[str], day: date, locale: str | None
) -> set[str]:
    allowed = snapshot.allowed(audiences, day)
    return {
        answer.id
        for answer in snapshot.curated.answers
        if answer.audience in audiences
        and given.valid_on(answer.valid_from, answer.valid_until, day)
        and (answer.article is None or snapshot.shows(answer.article, allowed))
        and (not locale or not answer.locale or serves(answer.locale, locale))
    }
