"""Which hard facts of a claim a passage states, and whether in the same connection.

A number that the passage says of something else supports nothing: the words around it must
fit the claim at least as well as those around any other number of its kind.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from chatbot.safety.facts import Fact
from chatbot.safety.grounding_claim import Claim, share
from chatbot.safety.grounding_units import PassageUnits, Scope, Unit
from chatbot.safety.grounding_words import COUNTRIES, content_stems, stem, tidy

_DISPLACED_BY = 0.12  # how much better another number's surroundings must fit the claim
_BESIDE_CHARS = 45  # about seven words to each side of a number
_ROW_MARGIN = 0.04  # in a table the words about a number are few
_UNRELATED = 0.1  # below this share of the claim's words, a number stands somewhere else
_UNIT_STEMS = frozenset(stem(word) for word in ("day", "week", "month", "year", "hour", "minute"))
_ADDRESSES = frozenset({"link", "email", "phone", "postcode", "code"})


@dataclass(frozen=True, slots=True)
class _Place:
    """How well a fact's surroundings fit the claim, and those of its nearest rival."""

    found: bool
    agreeing: float
    rival: Fact | None
    rivals: float
    margin: float
    unrelated: bool
    in_best: bool


_DENIES = re.compile(r"\b(?:no|not|never|none|cannot)\b|n't\b", re.IGNORECASE)


class StatedFacts:
    """Which facts of the claim the passage states, and in which connection."""

    def __init__(
        self, claim: Claim, passage: PassageUnits, best: Unit, own_names: frozenset[str]
    ) -> None:
        self.problems: list[str] = []
        self.missing: list[Fact] = []
        self.displaced: list[Fact] = []
        self.names_missing: list[Fact] = []
        self.names_displaced: list[Fact] = []
        self.context = 1.0
        self.passage, self.best = passage, best
        self.spread = Counter(s for u in passage.units for scope in u.scopes for s in scope.stems)
        self.years = {f.value for f in passage.facts if f.kind == "number" and len(f.value) == 4}
        self.named = {fact.value for fact in claim.facts if fact.kind == "name"}
        self.wanted = [fact for fact in claim.facts if fact.kind != "name"]
        for fact in self.wanted:
            self._place(fact, claim)
        for low, high in pairwise(self.wanted):
            if _turned_round(low, high, claim):
                self.displaced.append(low)
                self.problems.append(f"“{low.text}” and “{high.text}” are in the wrong order.")
        if any(scope.row for scope in best.scopes) and (
            _DENIES.search(tidy(claim.text)) and not _DENIES.search(best.text)
        ):
            self.problems.append("It denies something that this row of the table does not deny.")
        for fact in claim.facts:
            if fact.kind == "name" and fact.value not in own_names:
                self._name(fact, best)

    def _place(self, fact: Fact, claim: Claim) -> None:
        if fact.kind in _ADDRESSES:
            if not any(_same_address(fact, other) for other in self.passage.facts):
                self._miss(fact, None)
            return
        if fact.kind in {"date", "month"} and fact.value[:4] in self.years:
            fact = replace(fact, value=f"?{fact.value[4:]}")  # 'until 30 November' in a 2026 offer
        stood = [self._stand(fact, words) for words in _words_about(fact, claim)]
        if not stood[0].found:
            self._miss(fact, stood[0].rival)
            return
        self.context = min(self.context, *(place.agreeing for place in stood))
        displaced = [p for p in stood if p.rival is not None and p.rivals > p.agreeing + p.margin]
        if len(displaced) == len(stood) and displaced[0].rival is not None:
            self.displaced.append(fact)
            other = displaced[0].rival.text
            self.problems.append(
                f"“{fact.text}” belongs to something else; here the passage says “{other}”."
            )
        elif all(place.unrelated and not place.in_best for place in stood):
            self.displaced.append(fact)
            self.problems.append(f"“{fact.text}” stands in an unrelated sentence.")

    def _stand(self, fact: Fact, words: frozenset[str]) -> _Place:
        """Where the passage states the fact, and where another one of its kind."""
        agreeing = rivals = 0.0
        found = in_best = in_row = False
        rival: Fact | None = None
        for unit in self.passage.units:
            for scope in unit.scopes:
                fit = self._fit(words, scope, unit)
                if any(_agrees(fact, other, scope) for other in scope.facts):
                    found, agreeing = True, max(agreeing, fit)
                    in_row = in_row or scope.row
                    in_best = in_best or unit is self.best
                    continue
                near = [other for other in scope.facts if _rivals(fact, other)]
                if near and (rival is None or fit > rivals):
                    rival, rivals = near[0], fit
        if not found and any(fact.agrees(other) for other in self.passage.facts):
            found, agreeing = True, 1.0  # in the title path, or across two clauses
        margin = _ROW_MARGIN if in_row else _DISPLACED_BY
        unrelated = len(words) >= 2 and agreeing < _UNRELATED
        return _Place(found, agreeing, rival, rivals, margin, unrelated, in_best)

    def _fit(self, words: frozenset[str], scope: Scope, unit: Unit) -> float:
        """Share of the words about a number that stand around it, the telling ones first."""
        total = found = 0.0
        for word in words:
            if word in _UNIT_STEMS:
                continue
            weight = (2.0 if word in self.named else 1.0) / max(1, self.spread[word]) ** 0.5
            total += weight
            if word in scope.stems:
                found += weight
            elif word in unit.stems:
                found += (0.3 if scope.row else 0.8) * weight
            elif word in unit.context_stems:
                found += 0.6 * weight
        fit = found / total if total else 1.0
        if scope.row:  # 'Circle Plus' is another column than 'Circle'
            fit *= 0.7 + 0.3 * share(scope.stems, words)
        return fit

    def _miss(self, fact: Fact, rival: Fact | None) -> None:
        self.missing.append(fact)
        if rival is None:
            self.problems.append(f"“{fact.text}” is not in the passage.")
        elif rival.value == fact.value:
            self.problems.append(f"“{fact.text}” has another bound in the passage.")
        else:
            self.problems.append(f"It says “{fact.text}”, the passage “{rival.text}”.")

    def _name(self, fact: Fact, best: Unit) -> None:
        name = fact.value
        if name in best.all_stems or _inside(fact, best.text) or _inside(fact, best.context):
            return
        country = fact.text.lower() in COUNTRIES
        known = name in self.passage.stems or fact.text.lower() in self.passage.words
        if not known:
            self.names_missing.append(fact)
            self.problems.append(f"“{fact.text}” is not in the passage.")
            return
        rivals = [o for o in best.facts if o.kind == "name" and o.text.lower() in COUNTRIES]
        if rivals and country:
            self.names_displaced.append(fact)
            self.problems.append(f"“{fact.text}” stands elsewhere, not beside “{rivals[0].text}”.")
        elif any(o.kind == "name" for o in best.facts):
            self.names_displaced.append(fact)


def _words_about(fact: Fact, claim: Claim) -> tuple[frozenset[str], ...]:
    """The claim's words about a fact: its clause, and what stands right beside it."""
    clause = next(
        (s.stems for s in claim.scopes
         if any(f.kind == fact.kind and f.value == fact.value for f in s.facts)),
        frozenset[str](),
    )  # fmt: skip
    text = tidy(claim.text)
    start, end = max(0, fact.start - _BESIDE_CHARS), fact.end + _BESIDE_CHARS
    beside = frozenset(content_stems(text[start:end])) & frozenset(claim.stems)
    whole = frozenset(claim.stems)
    return (clause or whole, beside or whole)


def _turned_round(low: Fact, high: Fact, claim: Claim) -> bool:
    """'5 to 2 days': a range whose first number is the larger."""
    between = tidy(claim.text)[low.end : high.start]
    if low.dimension != high.dimension or not re.fullmatch(r"\s*(?:to|-)\s*", between):
        return False
    measured = low.kind in {"amount", "quantity", "number", "percent"}
    return measured and Decimal(low.number) > Decimal(high.number)


def _agrees(fact: Fact, other: Fact, scope: Scope) -> bool:
    """A bare number in a table agrees too: its unit stands in the head of the column."""
    bare = scope.row and other.kind == "number" and bool(fact.number)
    return fact.agrees(other) or (bare and fact.number == other.number)


def _rivals(fact: Fact, other: Fact) -> bool:
    opposed = fact.bound * other.bound < 0
    return fact.dimension == other.dimension and (fact.value != other.value or opposed)


def _same_address(fact: Fact, other: Fact) -> bool:
    if fact.kind != other.kind:
        return False
    if fact.kind == "phone":  # with and without the country's code
        short, long = sorted((fact.value.lstrip("+0"), other.value.lstrip("+0")), key=len)
        return long == short or (len(short) >= 8 and long.endswith(short))
    return fact.value == other.value


def _inside(fact: Fact, text: str) -> bool:
    return re.search(rf"\b{re.escape(fact.text.lower())}\b", tidy(text).lower()) is not None
