"""'Not' on one side only, opposites, and conditions that came or went."""

from __future__ import annotations

import re

from chatbot.safety.facts import find_facts
from chatbot.safety.grounding_claim import Claim, share
from chatbot.safety.grounding_units import Unit
from chatbot.safety.grounding_words import (
    ANTONYMS,
    PERIODS,
    STRONGER,
    content_stems,
    stem,
    tidy,
    words_of,
)

_NEGATION = re.compile(
    r"\b(?:not(?! only)|no(?! (?:more|later|less|longer|fewer|earlier) than)"
    r"|never|cannot|without|neither|nor|none|nothing|nobody|unable|unavailable"
    r"|impossible|excluded?|excludes|except|refuse[sd]?|prohibited|forbidden|nowhere|hardly)\b"
    r"|n't\b|\bno longer\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|no|never|cannot|neither|nor|none|nobody)\b|n't\b", re.IGNORECASE)
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


def opposed(claim: Claim, best: Unit) -> tuple[bool, tuple[str, str] | None]:
    """Whether 'not' stands on one side only, and two words that exclude each other: the
    claim's and the passage's."""
    negation = _negated(claim, best)
    ours, theirs = (bool(_NOT.search(tidy(text))) for text in (claim.text, best.text))
    claimed, said = _words(claim.text), _words(best.text)
    for pair in ANTONYMS:
        for one, other in (pair, pair[::-1]):
            in_claim, in_unit = claimed & one, said & other
            if in_claim and in_unit and not said & one and not claimed & other:
                if ours != theirs:
                    return False, None  # 'not allowed' for 'forbidden'
                return negation, (min(in_claim), min(in_unit))
    if ours or theirs:
        return negation, None  # 'must not' for 'cannot'
    for stronger, weaker in STRONGER:
        in_claim, in_unit = claimed & stronger, said & weaker
        if in_claim and in_unit and not said & stronger and not claimed & weaker:
            return negation, (min(in_claim), min(in_unit))
    mine, others = claimed & PERIODS, said & PERIODS
    if mine - others and others - mine:
        return negation, (min(mine - others), min(others - mine))
    return negation, None


def _words(text: str) -> set[str]:
    """Words without those of the quantities: '7 days' is a fact, 'the last day' is not."""
    plain = tidy(text)
    for fact in reversed(find_facts(text)):
        if fact.kind != "name":
            plain = plain[: fact.start] + plain[fact.end :]
    found = set(words_of(plain))
    return found | {word[:-1] for word in found if word[:-1] in PERIODS}


def _negated(claim: Claim, best: Unit) -> bool:
    """Whether some statement of the claim is there with a 'not' more, or with one less."""
    said_here, theirs = best.text, _statements(best.text)
    if best.scopes[0].row:  # each cell of a row has a 'yes' or 'no' of its own
        cell = max(best.scopes, key=lambda scope: share(claim.stems, scope.stems))
        said_here = cell.text
        theirs = [*_statements(said_here), (said_here, cell.stems)]
    anywhere = bool(_NEGATION.search(tidy(said_here)))
    for position, (text, stems) in enumerate(_statements(claim.text)):
        if not stems:
            continue
        if _NEGATION.search(text):
            if (
                not anywhere
                and share(stems, best.stems) >= 0.75
                and not _QUALIFIED.search(said_here)
            ):
                return True
        elif position == 0 or _FINITE.search(text):
            for other, words in theirs:
                alike = share(stems, words) >= 0.75 and share(words, stems) >= 0.6
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


def conditions(text: str) -> set[str]:
    """Stems of the words that bind what a sentence says to a condition."""
    return {stem(match.lower()) for match in _CONDITION.findall(text)}
