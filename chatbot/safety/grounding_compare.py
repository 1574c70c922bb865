"""A claim against one passage: what agrees, what is missing, what contradicts.

Nothing here is learned. ``compare`` gives the problems that no score can outweigh (a hard
fact that the passage does not state in that connection) and the numbers that the trained
head reads beside its own judgement of the meaning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chatbot.safety.facts import Fact, find_facts
from chatbot.safety.grounding_units import PassageUnits, Scope, Unit, scopes_of
from chatbot.safety.grounding_words import (
    ANTONYMS,
    COUNTRIES,
    content_stems,
    stem,
    tidy,
    words_of,
)

FEATURES = (
    "coverage", "coverage_two", "coverage_passage", "coverage_own", "missing_words",
    "facts", "facts_missing", "facts_displaced", "fact_context", "names_missing",
    "names_displaced", "negation_differs", "antonym", "condition_dropped", "condition_added",
    "length_ratio",
)  # fmt: skip
_CONTEXT_WEIGHT = 0.8  # a word of the title path supports nearly as well as one of the sentence
_NEAR_COPY = 0.8  # above this share of shared words, a differing 'not' is no paraphrase
_DISPLACED_BY = 0.12  # how much better another number's surroundings must fit the claim
_BESIDE_CHARS = 45  # about seven words to each side of a number
_ROW_MARGIN = 0.04  # in a table the words about a number are few
_UNRELATED = 0.1  # below this share of the claim's words, a number stands somewhere else
_NEGATION = re.compile(
    r"\b(?:not(?! only)|no(?! (?:more|later|less|longer|fewer|earlier) than)"
    r"|never|cannot|without|neither|nor|none|nothing|nobody|unable|unavailable"
    r"|impossible|excluded?|excludes|except|refuse[sd]?|prohibited|forbidden|nowhere|hardly)\b"
    r"|n't\b|\bno longer\b",
    re.IGNORECASE,
)
# A list mark, then the 'yes' or 'no' that answers the question and not the passage.
_OPENING = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.)])?\s*(?:(?:yes|no|sorry),\s+)?", re.IGNORECASE)
_QUALIFIED = re.compile(r"\b(?:only|unless|except|but|if|other than|apart from)\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"\b(?:only|unless|except|if|as long as|provided|when|once|unused|unworn|original)\b",
    re.IGNORECASE,
)
_PARTS = re.compile(r"[,;:]\s|\s(?:and|or|but|because|so|unless|if|when|while)\s", re.IGNORECASE)
_IF = re.compile(r"\b(?:if|when|unless)\b[^,.;]*", re.IGNORECASE)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|be|can|could|will|would|may|must|should|do|does|did|has|have|had)\b",
    re.I,
)
_UNIT_STEMS = frozenset(stem(word) for word in ("day", "week", "month", "year", "hour", "minute"))
_ADDRESSES = frozenset({"link", "email", "phone", "postcode", "code"})


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence that was read once, to be compared with several passages."""

    text: str
    stems: tuple[str, ...]
    scopes: tuple[Scope, ...]
    facts: tuple[Fact, ...]

    @classmethod
    def of(cls, sentence: str) -> Claim:
        plain = _OPENING.sub("", sentence.strip())
        return cls(
            plain,
            tuple(dict.fromkeys(content_stems(tidy(plain)))),
            scopes_of(plain),
            find_facts(plain),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """``features`` in the order of FEATURES; ``evidence`` are the nearest units, in order."""

    problems: tuple[str, ...]
    features: tuple[float, ...]
    evidence: tuple[Unit, ...]

    @property
    def coverage(self) -> float:
        return self.features[0]


def compare(
    claim: Claim, passage: PassageUnits, own_names: frozenset[str] = frozenset(), *, units: int = 3
) -> Comparison:
    """``own_names`` (stems) are names that need no support, such as the company's own."""
    if not passage.units:
        return Comparison(("The passage has no text.",), (0.0,) * len(FEATURES), ())
    shares = [_coverage(claim.stems, unit) for unit in passage.units]
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    best = passage.units[order[0]]
    nearest = tuple(passage.units[i] for i in sorted(order[:units]))
    covered = set(best.all_stems).union(*(passage.units[i].all_stems for i in order[:2]))

    facts = _Facts(claim, passage, best, own_names)
    negation, antonym = _opposed(claim, best)
    clause = max(best.scopes, key=lambda s: _share(claim.stems, s.stems))
    close = max(shares[order[0]], _share(claim.stems, best.all_stems))
    problems = list(facts.problems)
    if close >= _NEAR_COPY and negation:
        problems.append(f"It says the opposite of “{best.text}”")
    elif close >= _NEAR_COPY - 0.1 and antonym:
        problems.append(f"It says “{antonym[0]}”, the passage “{antonym[1]}”.")
    conditions = _conditions(claim.text), _conditions(clause.text)
    features = (
        shares[order[0]],
        _share(claim.stems, covered),
        _share(claim.stems, passage.stems),
        _share(claim.stems, best.stems),
        float(sum(s not in passage.stems for s in claim.stems)),
        float(len(facts.wanted)),
        float(len(facts.missing)),
        float(len(facts.displaced)),
        facts.context,
        float(len(facts.names_missing)),
        float(len(facts.names_displaced)),
        float(negation),
        float(antonym is not None),
        float(len(conditions[1] - conditions[0])),
        float(len(conditions[0] - conditions[1])),
        min(2.0, len(claim.stems) / max(1, len(best.stems))),
    )
    return Comparison(tuple(problems), features, nearest)


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


class _Facts:
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
            fit *= 0.7 + 0.3 * _share(scope.stems, words)
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


def _share(stems: Iterable[str], among: Iterable[str]) -> float:
    wanted, known = set(stems), set(among)
    return len(wanted & known) / len(wanted) if wanted else 1.0


def _coverage(stems: tuple[str, ...], unit: Unit) -> float:
    if not stems:
        return 1.0
    gained = sum(
        1.0 if s in unit.stems else _CONTEXT_WEIGHT if s in unit.context_stems else 0.0
        for s in stems
    )
    return gained / len(stems)


def _opposed(claim: Claim, best: Unit) -> tuple[bool, tuple[str, str] | None]:
    """Whether 'not' stands on one side only, and a pair of opposites told apart."""
    negation = _negated(claim, best)
    ours, theirs = (bool(_NEGATION.search(tidy(text))) for text in (claim.text, best.text))
    claimed, said = set(words_of(tidy(claim.text))), set(words_of(tidy(best.text)))
    for pair in ANTONYMS:
        for one, other in (pair, pair[::-1]):
            in_claim, in_unit = claimed & one, said & other
            if in_claim and in_unit and not said & one and not claimed & other:
                if ours != theirs:
                    return False, None  # 'not allowed' for 'forbidden'
                return negation, (min(in_claim), min(in_unit))
    return negation, None


def _negated(claim: Claim, best: Unit) -> bool:
    """Whether some statement of the claim is there with a 'not' more, or with one less."""
    said_here = best.text
    if best.scopes[0].row:  # each cell of a row has a 'yes' or 'no' of its own
        said_here = max(best.scopes, key=lambda scope: _share(claim.stems, scope.stems)).text
    theirs = _statements(said_here)
    anywhere = bool(_NEGATION.search(tidy(said_here)))
    for position, (text, stems) in enumerate(_statements(claim.text)):
        if not stems:
            continue
        if _NEGATION.search(text):
            if (
                not anywhere
                and _share(stems, best.stems) >= 0.75
                and not _QUALIFIED.search(said_here)
            ):
                return True
        elif position == 0 or _FINITE.search(text):
            for other, words in theirs:
                alike = _share(stems, words) >= 0.75 and _share(words, stems) >= 0.6
                if alike and _NEGATION.search(other) and not _QUALIFIED.search(other):
                    return True
    return False


def _statements(text: str) -> list[tuple[str, frozenset[str]]]:
    """Parts of a sentence with their stems, without conditions and 'not Sunday' contrasts."""
    parts = [part.strip() for part in _PARTS.split(_IF.sub(" ", tidy(text)))]
    return [
        (part, frozenset(content_stems(part)))
        for position, part in enumerate(parts)
        if part and not (position > 0 and part.lower().startswith("not "))
    ]


def _conditions(text: str) -> set[str]:
    return {stem(match.lower()) for match in _CONDITION.findall(text)}
