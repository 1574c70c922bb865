"""A claim set beside the piece of a passage that it retells.

A model of this size copies well and rephrases badly: read one by one, of 393 delivered sentences
four in five stood word for word in an article, and of the others every third said something else
("Use a dishwasher, because you should not use … a dishwasher"). What went wrong shows in the words:
one that the passage has not, or has fewer times. So a claim may use the words of one piece and of
its title path, none more often than they stand there, and the small words that join them; of a
table's row, it must name the row. A claim of several statements may take each from another piece.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from chatbot.safety.grounding_words import content_stems, stem, tidy
from chatbot.types import Passage
from knowledge_base.plain import plain_text
from knowledge_base.reranker import place_of
from knowledge_base.units import units

SAME = 0.5
"""Of a claim's content words in a piece, below which the claim retells no piece."""

_TOKEN = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?|[£€$%]")
_DENYING_WORDS = "no not never cannot none neither nor nobody nothing without"
_NOT = frozenset(_DENYING_WORDS.split())
_JOINING_WORDS = """a an the is are was were be been being do does did has have had having it its
    they them their this that these those there here he she you your yours we us our ours i me my
    who which and or of for to in on at by with from into as so then also both each one can will
    please customer customers"""
_JOINING = frozenset(_JOINING_WORDS.split())
_LINKING_WORDS = "cost last take mean get receive use say show"
_LINKING = frozenset(stem(word) for word in _LINKING_WORDS.split())
_STATEMENTS = re.compile(
    r"[,;]? (?:and|but|so) |[;.] |, (?=[£€$]?\d|(?:is|are|costs?|takes?|lasts?|has|have|can)\b)",
    re.IGNORECASE,
)
_BEGINS = re.compile(r"(?:[.!?:;]|\d[.)])\s+|\n")  # behind it a sentence, step or cell begins
_FINITE = frozenset(("is", "are", "was", "were", "be", "can", "will", "must", "may", "has", "have"))
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_NUMERAL = re.compile(rf"[£€$%]|{_FIGURE.pattern}")
_RANGE = re.compile(rf"({_FIGURE.pattern}) ?(?:to|–|-) ?[£€$]?({_FIGURE.pattern})")
_NAME = re.compile(r"\b[A-Z][\w-]*(?: (?:[A-Z][\w-]*|\d{1,3}\b))*")
_ROW = re.compile(r"^[^:]{1,80}: ")  # what one row of a table says, another does not
_FEWEST_WORDS = 4  # of a statement that is looked at by itself


@dataclass(frozen=True, slots=True)
class Retold:
    """``unit`` is the piece, as the passage has it; ``passage`` its number, from 1; ``score`` what
    the reranker thinks of it as an answer, 0 where nothing was judged. ``faithful``: the claim has
    no word that the piece does not account for."""

    unit: str
    passage: int
    score: float
    faithful: bool


def retold(claim: str, passages: Sequence[Passage]) -> Retold | None:
    """The piece that shares most words with ``claim``; None where none has half of them."""
    stems = Counter(content_stems(tidy(claim)))
    said = _tokens(claim)
    best: tuple[float, float, Retold] | None = None
    common = _common_labels(passages)
    for number, unit, score, place in _pieces(passages):
        held = _tokens(unit)
        own, around = Counter(content_stems(tidy(unit))), held + _tokens(place)
        shared = sum((stems & own).values())
        if not stems or not own or shared < SAME * sum(stems.values()):
            continue
        named = _tokens(_label(unit)).keys() - common.get(number, frozenset()) <= said.keys()
        faithful = _copied(claim, unit) or (
            named and _accounted(said, around) and _aligned(claim, unit, place)
        )
        # Of pieces that share as much, the one that says least besides.
        rank = (faithful + shared / sum(stems.values()), shared / sum(own.values()))
        if best is None or rank > best[:2]:
            best = (*rank, Retold(unit, number, score, faithful))
    if best is None:
        return None
    found = best[2]
    if not found.faithful and _in_statements(claim, passages):
        return Retold(found.unit, found.passage, found.score, True)
    return found


def _label(unit: str) -> str:
    """What a table's row is about, '' for a sentence."""
    row = _ROW.match(unit)
    return row[0] if row else ""


def _common_labels(passages: Sequence[Passage]) -> dict[int, frozenset[str]]:
    """Of each passage, by number: words in the labels of several rows, such as their column's."""
    counts: dict[int, Counter[str]] = {}
    for number, unit, _, _ in _pieces(passages):
        counts.setdefault(number, Counter()).update(_tokens(_label(unit)).keys())
    return {n: frozenset(w for w, times in own.items() if times > 1) for n, own in counts.items()}


def _copied(claim: str, unit: str) -> bool:
    """Word for word from the beginning of a sentence or step of the piece on; of a row not its
    label alone, which says nothing ("The sole comes off within 2 years": covered or not?)."""
    said = " ".join(claim.rstrip(" .").split())
    if _label(unit).startswith(said):
        return False
    starts = (0, *(match.end() for match in _BEGINS.finditer(unit)))
    return any(" ".join(unit[start:].split()).startswith(said) for start in starts)


def _aligned(claim: str, unit: str, place: str) -> bool:
    """Of a piece that says several things of several names or numbers, each statement of the
    claim keeps to one: "Circle costs £39" is not in "Circle costs £15, and Circle Plus £39"."""
    if _ROW.match(unit):
        return _in_named_cells(claim, unit, place)
    statements = _statements(unit)
    several = len(_names(unit)) > 1 or len(_figures(unit)) > 1
    if len(statements) < 2 or not several:
        return True
    words = {word for name in _names(unit) for word in name.split()}
    linking = _verbs(unit) & _LINKING

    def fits(part: str, statement: str) -> bool:
        own = _names(statement)
        # Without a subject of its own a statement takes that of the first, without a verb its verb.
        taken = "" if own else statements[0]
        verbs = _verbs(statement) or _verbs(statements[0])
        if not _figures(part) <= _figures(f"{statement} {place}"):
            return False
        if not _verbs(part) & linking <= verbs:
            return False
        held = _tokens(statement) + _tokens(taken) + _tokens(place)
        known = own | _names(taken) | _names(place)
        told = {name for name in _runs(part) if words & {*name.split()}}
        return _tokens(part).keys() <= held.keys() and all(
            any(_ends_alike(name, other) for other in known) for name in told
        )

    return all(any(fits(part, own) for own in statements) for part in _statements(claim))


def _in_named_cells(claim: str, row: str, place: str) -> bool:
    """Of a table's row a statement's numbers stand in the cells whose columns it names, a range
    with both its ends, and each of those cells gives one: "a size L chest takes 93 cm" is not in
    "Size L: Chest 102 to 107; Waist 88 to 93". Where several cells have numbers it must name a
    column. What a named cell denies, it denies too: "a snapped pole is covered" is not in "Snapped
    pole: Covered? No, accident"."""
    label, _, rest = row.partition(":")
    if _tokens(claim).keys() <= _tokens(f"{label} {place}").keys():
        return False  # nothing of what the row says of it
    cells = [cell.strip() for cell in rest.split(";")]
    about = _figures(f"{label} {place}")
    for part in _statements(claim):
        said, figures = _tokens(part).keys(), _figures(part) - about
        named = _named_cells(cells, said, figures)
        if "not" not in said and any("not" in _tokens(cell) for cell in named):
            return False
        whole = [_figures(cell) for cell in named or cells if not _halved(cell, figures)]
        held = [set().union(*whole)] if named else whole
        if figures and not any(figures <= cell for cell in held):
            return False
        if figures and not named and sum(bool(_figures(cell)) for cell in cells) > 1:
            return False  # "delivery to Ireland costs €11.95": the express one does
        silent = [c for c in named if (own := _figures(c) - about) and not own & figures]
        if figures and silent:
            return False  # "the arm of an M chest is 82 cm": of the chest it says nothing
    return True


def _named_cells(cells: list[str], said: Set[str], figures: set[str]) -> list[str]:
    """Those whose column ``said`` names: by a word that no other column has, by all its words where
    no other has the same, or by the number that it begins with ("3 nights £36"). Who says "Circle
    Plus" names "Circle" only with a number of it."""
    words = [frozenset(_tokens(_NUMERAL.sub(" ", cell)).keys()) for cell in cells]
    times = Counter(word for own in words for word in own)

    def named(cell: str, own: frozenset[str]) -> bool:
        if any(times[word] == 1 for word in own & said):
            return True
        begins = _FIGURE.match(cell)
        told = begins is not None and begins[0] in figures
        return bool(own) and own <= said and (told or words.count(own) == 1)

    found = [(cell, own) for cell, own in zip(cells, words, strict=True) if named(cell, own)]
    return [
        cell
        for cell, own in found
        if _figures(cell) & figures or not any(own < other for _, other in found)
    ]


def _halved(cell: str, figures: set[str]) -> bool:
    """Whether of a range in ``cell`` one end is among ``figures``."""
    return any(len(figures & {low, high}) == 1 for low, high in _RANGE.findall(cell))


def _figures(text: str) -> set[str]:
    return set(_FIGURE.findall(text))


def _verbs(text: str) -> set[str]:
    """Those that join a number to what it is about, and signs that there is another verb."""
    words = text.lower().split()
    return {stem(word) for word in words} & _LINKING | {word for word in words if word in _FINITE}


def _names(text: str) -> set[str]:
    """Runs of capitalised words with the numbers that belong to them; not a mere first word."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return {run for run in _runs(text) if run != first}


def _runs(text: str) -> set[str]:
    return set(_NAME.findall(text))


def _ends_alike(name: str, other: str) -> bool:
    """As one name: "Circle" and "Larkmoor Circle", not "Circle" and "Circle Plus"."""
    return f" {name}".endswith(f" {other}") or f" {other}".endswith(f" {name}")


def _in_statements(claim: str, passages: Sequence[Passage]) -> bool:
    """Whether each statement of a claim is accounted for by a statement of its own."""
    parts = _statements(claim)
    if len(parts) < 2 or any(len(part.split()) < _FEWEST_WORDS for part in parts):
        return False
    pieces = [
        _tokens(statement) + _tokens(place)
        for _, unit, _, place in _pieces(passages)
        if not _ROW.match(unit)
        for statement in _statements(unit)
    ]
    found = [
        {n for n, piece in enumerate(pieces) if _accounted(_tokens(part), piece)} for part in parts
    ]
    return all(found) and len(set().union(*found)) >= len(parts)


def _statements(text: str) -> list[str]:
    return [part for part in _STATEMENTS.split(text) if part.strip()]


def _accounted(said: Counter[str], held: Counter[str]) -> bool:
    return all(held[token] >= count for token, count in said.items())


def _pieces(passages: Sequence[Passage]) -> Iterator[tuple[int, str, float, str]]:
    """Number of the passage, piece, score and title path."""
    for number, passage in enumerate(passages, start=1):
        place = place_of(passage.title, passage.heading)
        judged = passage.units or tuple((unit, 0.0) for unit in units(passage.text))
        yield from ((number, unit, score, place) for unit, score in judged)


@lru_cache(maxsize=20_000)
def _counted(text: str) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for token in _TOKEN.findall(tidy(plain_text(text)).lower()):
        if token in _NOT or token.endswith("n't"):
            found["not"] += 1
        elif token not in _JOINING and (kept := stem(token)) not in _LINKING:
            found[kept] += 1
    return tuple(found.items())


def _tokens(text: str) -> Counter[str]:
    """Words that say something, numbers and signs, with how often each stands in ``text``."""
    return Counter(dict(_counted(text)))
