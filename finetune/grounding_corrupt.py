"""False sentences made of true ones, one mistake each, named by type.

The types are the mistakes that answer models make. Those in HELD_OUT are never trained on:
what the head scores on them is what it makes of a mistake that it has not seen.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatbot.answering.sentences import split_sentences
from chatbot.safety.facts import Fact, find_facts
from chatbot.safety.grounding_words import COUNTRIES, content_stems, tidy
from finetune.grounding_mistakes import (
    ADDED_CONDITIONS,
    ADDITIONS,
    ANTONYMS,
    COMPARATORS,
    QUANTIFIERS,
    UNITS,
)
from finetune.grounding_rows import Text
from knowledge_base.plain import plain_text

HELD_OUT = frozenset({"unit", "comparator", "antonym", "mixed", "quantifier"})

_CONDITION = re.compile(
    r",? (?:unless|only if|if|except|as long as|provided(?: that)?|but not|but only)\b[^,.;]*", re.I
)
_AUXILIARY = re.compile(
    r"\b(can|could|will|would|should|must|may|is|are|was|were|does|do|has|have)\b(?! not\b|n't)",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:(do|does|is|are|can|could|will|would|must|should|has|have)(?:n't| not)|cannot|can't"
    r"|won't)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"^(\w+) ")
_VERB = re.compile(
    r"\b(costs?|takes?|offers?|delivers?|accepts?|includes?|provides?|gets?|needs?|applies|apply"
    r"|covers?|allows?|serves?|keeps?|works?|starts?|ends?|counts?|charges?|lasts?)\b"
)


@dataclass(frozen=True, slots=True)
class Pool:
    """What corruptions borrow from: names of one origin, and passages of other articles."""

    names: tuple[str, ...]
    texts: tuple[Text, ...]


Corruption = Callable[[str, Text, Pool, random.Random], str | None]


def number(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """Another number: mostly a near one, sometimes one that the passage says of another thing."""
    facts = [f for f in find_facts(claim) if f.number]
    if not facts:
        return None
    fact = rng.choice(facts)
    others = [
        f.text for f in find_facts(plain_text(text.passage.text))
        if f.dimension == fact.dimension and f.value != fact.value
    ]  # fmt: skip
    if others and rng.random() < 0.5:
        return _put(claim, fact, rng.choice(others))
    digits = re.search(r"\d+", fact.text)
    if digits is None:
        words = ["two", "three", "four", "five", "seven", "ten", "twenty", "thirty"]
        word = fact.text.split()[0].split("-")[0]
        return _put(
            claim, fact, fact.text.replace(word, rng.choice([w for w in words if w != word]))
        )
    old = int(digits[0])
    new = rng.choice([n for n in (old * 2, old + 1, old + 5, old * 10, old // 2, old - 1) if n > 0])
    if new == old:
        return None
    return _put(claim, fact, fact.text.replace(digits[0], str(new), 1))


def negation(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """'not' in, or out."""
    if claim[:4].lower() in {"yes,", "no, "}:
        claim = claim.split(",", 1)[1].strip()
        claim = claim[0].upper() + claim[1:]
    denied = _DENIAL.search(claim)
    if denied:
        word = denied[1] or ("can" if denied[0].lower().startswith("ca") else "will")
        return _spliced(claim, denied, word)
    never = re.search(r"\bnever\b|\bno\b(?= \w)", claim)
    if never:
        return _spliced(claim, never, "always" if never[0] == "never" else "some")
    found = _AUXILIARY.search(claim)
    if found and rng.random() < 0.85:
        return _spliced(claim, found, rng.choice([f"{found[0]} not", f"{found[0]} never"]))
    verb = _VERB.search(claim)
    if verb:
        base = verb[0]
        plural = not base.endswith("s")
        helper = "do not" if plural else "does not"
        stem = base if plural else {"applies": "apply"}.get(base, base[:-1])
        return _spliced(claim, verb, f"{helper} {stem}")
    return None


def entity(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """Another country, product, plan or place."""
    names = [f for f in find_facts(claim) if f.kind == "name" and len(f.text) > 2]
    if not names:
        return None
    fact = rng.choice(names)
    inside = [
        f.text for f in find_facts(plain_text(text.passage.text)) if f.kind == "name"
    ]  # fmt: skip
    if fact.text.lower() in COUNTRIES:
        choice = [c.title() for c in COUNTRIES if len(c) > 3 and c not in claim.lower()]
        choice = [n for n in inside if n.lower() in COUNTRIES and n not in claim] or choice
    else:
        choice = [
            n for n in (*inside, *pool.names) if n not in claim and n.lower() not in COUNTRIES
        ]
    return _put(claim, fact, rng.choice(choice)) if choice else None


def neighbour(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """A true sentence of another passage, mostly of the same article."""
    near = list(text.neighbours)
    if not near or rng.random() < 0.3:
        near = [rng.choice(pool.texts).passage]
    sentences = units_of(rng.choice(near).text)
    return rng.choice(sentences) if sentences else None


def reply(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """What a person wrote from another passage about the same kind of thing."""
    with_replies = [t for t in pool.texts if t.answers and t.passage.text != text.passage.text]
    same = [t for t in with_replies if t.passage.article == text.passage.article]
    alike = [t for t in with_replies if t.passage.heading == text.passage.heading]
    chosen = rng.choice([c for c in (same, alike, with_replies) if c] or [[]])
    return rng.choice(rng.choice(chosen).answers) if chosen else None


def condition(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """A condition dropped, turned round, or made up."""
    found = _CONDITION.search(claim)
    if found and found.start() > 8:
        turned = re.sub(
            r"unless|only if|except|as long as|provided(?: that)?|\bif\b",
            lambda m: {"unless": "if", "except": "including", "if": "unless"}.get(
                m[0].lower(), "even unless" if m[0].lower() == "only if" else "unless"
            ),
            found[0], count=1, flags=re.IGNORECASE,
        )  # fmt: skip
        if rng.random() < 0.5 and turned != found[0]:
            return claim.replace(found[0], turned, 1)
        if re.search(r"unless|except|but not", found[0], re.IGNORECASE):
            return claim.replace(found[0], "", 1)
    return _added(claim, rng.choice(ADDED_CONDITIONS))


def addition(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """Something plausible that the passage does not say, at the end."""
    if rng.random() < 0.7:
        return _added(claim, rng.choice(ADDITIONS))
    other = units_of(rng.choice(text.neighbours or (rng.choice(pool.texts).passage,)).text)
    if not other:
        return None
    second = rng.choice(other)
    return _added(claim, f"and {second[0].lower()}{second[1:].rstrip('.')}") if second else None


def mixed(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """The beginning of one sentence with the end of another passage's."""
    other = units_of(rng.choice(text.neighbours or (rng.choice(pool.texts).passage,)).text)
    if not other:
        return None
    first, second = claim.split(), rng.choice(other).split()
    verbs = {"is", "are", "can", "must", "costs", "takes", "will", "has", "have", "do", "does"}
    a = next((i for i, w in enumerate(first) if w.lower() in verbs), None)
    b = next((i for i, w in enumerate(second) if w.lower() in verbs), None)
    if a is None or b is None or a == 0:
        return None
    return " ".join([*first[:a], *second[b:]])


def exchanged(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """Two values of one sentence in each other's place, or another table row's value."""
    facts = [f for f in find_facts(claim) if f.number]
    for i, first in enumerate(facts):
        for second in facts[i + 1 :]:
            if first.dimension == second.dimension and first.value != second.value:
                swapped = _put(claim, second, first.text)
                return _put(swapped, first, second.text)
    return None


def _swapper(pairs: Sequence[tuple[str, str]]) -> Corruption:
    def swap(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
        found = []
        for old, new in pairs:
            sign = not old[0].isalnum()
            # 'cannot' to 'must not' is no mistake, 'gluten-free' no price.
            pattern = (
                re.escape(old) if sign else rf"(?<![-'])\b{re.escape(old)}\b(?![-'])(?! not\b)"
            )
            match = re.search(pattern, claim, re.IGNORECASE)
            if match:
                found.append((match, new))
        if not found:
            return None
        match, new = rng.choice(found)
        return _spliced(claim, match, new)

    return swap


def comparator(claim: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """A bound turned round; only one that stands before a fact ('after 60 days')."""
    facts = [f for f in find_facts(claim) if f.number or f.kind in {"date", "time", "month"}]
    facts = [f for f in facts if not re.match(r" ?(?:to|-|until) ", claim[f.end :])]  # a range
    found = []
    for old, new in COMPARATORS:
        for match in re.finditer(rf"\b{re.escape(old)}\b", claim, re.IGNORECASE):
            if any(
                0 <= f.start - match.end() <= 2 or 0 <= match.start() - f.end <= 1 for f in facts
            ):
                found.append((match, new))
    if not found:
        return None
    match, new = rng.choice(found)
    return _spliced(claim, match, new)


CORRUPTIONS: dict[str, Corruption] = {
    "number": number,
    "negation": negation,
    "entity": entity,
    "neighbour": neighbour,
    "reply": reply,
    "condition": condition,
    "addition": addition,
    "exchanged": exchanged,
    "unit": _swapper(UNITS),
    "comparator": comparator,
    "antonym": _swapper(ANTONYMS),
    "quantifier": _swapper(QUANTIFIERS),
    "mixed": mixed,
}


def corrupted(claim: str, kind: str, text: Text, pool: Pool, rng: random.Random) -> str | None:
    """A false sentence, or None where this mistake cannot be made of this claim.

    One that the passage's own words still cover, or that did not change, is none.
    """
    claim = tidy(claim)
    result = CORRUPTIONS[kind](claim, text, pool, rng)
    if result is None or _key(result) == _key(claim) or not 3 <= len(result.split()) <= 50:
        return None
    stated = {_key(s) for s in (*units_of(text.passage.text), *text.answers)}
    if _key(result) in stated:
        return None
    if kind in {"neighbour", "reply", "mixed", "addition"}:
        said = set(content_stems(tidy(f"{text.passage.heading} {plain_text(text.passage.text)}")))
        words = set(content_stems(tidy(result)))
        if not words or len(words & said) / len(words) > 0.75:
            return None  # the passage may say it too
    return result[0].upper() + result[1:]


def units_of(markdown: str) -> list[str]:
    """Sentences and list items of a passage that could stand alone in an answer."""
    found = []
    for line in plain_text(markdown).split("\n"):
        body = re.sub(r"^\s*(?:-|\d{1,2}[.)])\s+", "", line)
        if ";" in body and ": " in body:
            continue  # a table row, read by rows_said
        for sentence in split_sentences(body):
            if 4 <= len(sentence.split()) <= 45 and sentence[-1] in ".!":
                found.append(sentence)
    return found


def _added(claim: str, more: str) -> str:
    return f"{claim.rstrip(' .!')}, {more}." if more[0] == "b" else f"{claim.rstrip(' .!')} {more}."


def _put(claim: str, fact: Fact, text: str) -> str:
    return f"{claim[: fact.start]}{text}{claim[fact.end :]}"


def _spliced(claim: str, match: re.Match[str], text: str) -> str:
    new = text.capitalize() if match.start() == 0 and text[0].isalpha() else text
    return f"{claim[: match.start()]}{new}{claim[match.end() :]}"


def _key(text: str) -> str:
    return re.sub(r"\W+", " ", tidy(text).lower()).strip()
