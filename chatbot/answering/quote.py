"""The passages' own words: instead of a model's answer that does not stand, or beside one that
leaves out what the passages say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chatbot.types import Passage, Sentence, SentenceKind
from knowledge_base.encoder import TextEncoder
from knowledge_base.units import mark_of, units

LOOKED_AT = 2  # unjudged passages: below the second a quotation answers too rarely
SECOND = 0.4  # of the best unit's probability: then a second one is told beside it
ALSO = 0.05  # the same of what completes an answer that is not sure, of the article it is told from
MIN_WORDS = 4  # shorter pieces are headings or table cells
MAX_WORDS = 60
SAID_WORDS = 0.6  # of a unit's words in the answer: it is said already
SAID_LIKENESS = 0.8  # cosine of a unit with a sentence of the answer: the same in other words
_POINTS_BACK = re.compile(
    r"(?:it|its|they|their|this|that|these|those|both|otherwise|then|but|however|also|in that case"
    r"|the only)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w{3,}|\d+")
_STEP = re.compile(r"^\d{1,2}[.)] ", re.MULTILINE)
_ROW = re.compile(r" – [^:;]+: ")  # as ``_legible`` tells it
_END = re.compile(r"[.!?:…]$")


def best_quotes(
    question: str, passages: Sequence[Passage], encoder: TextEncoder
) -> tuple[Sentence, ...]:
    """The unit of the passages that answers ``question`` most likely, word for word, cited, and
    a second one that is nearly as likely; of several questions in one message the best unit of
    each. By the reranker's judgement, and where there is none the one nearest by likeness.
    () when the passages hold no unit of a sensible length.
    """
    judged = sorted(
        (
            (score, number, place)
            for number, passage in enumerate(passages, start=1)
            for place, (text, score) in enumerate(passage.units)
            if _sensible(text)
        ),
        key=lambda item: -item[0],
    )
    leads: list[tuple[float, int, int]] = sorted(
        (asked, number, place)
        for number, passage in enumerate(passages, start=1)
        for asked, place in passage.leads
        if _sensible(passage.units[place][0])
    )
    near = [item for item in judged[1:2] if item[0] >= SECOND * judged[0][0]]
    chosen = leads or [*judged[:1], *near]
    if chosen:
        found = (_whole(passages, number, place) for _, number, place in chosen)
        return tuple(dict.fromkeys(found))
    pieces = list(_unjudged(passages[:LOOKED_AT]))
    if not pieces:
        return ()
    vectors = encoder.embed([question, *(text for _, text in pieces)])
    number, text = pieces[int((vectors[1:] @ vectors[0]).argmax())]
    return (quoted(text, passages, number),)


def quoted(unit: str, passages: Sequence[Passage], number: int) -> Sentence:
    """A unit of passage ``number`` (from 1), word for word, cited. A long list, which is judged
    step by step, is told whole where several of its steps answer; a step that is told without the
    others loses its number."""
    steps = _steps_with(unit, passages[number - 1])
    told = "\n".join(_legible(step, passages[number - 1]) for step in steps)
    return _sentence(told if is_numbered_list(told) else _STEP.sub("", told), number)


def _steps_with(unit: str, passage: Passage) -> list[str]:
    """``unit``, or all steps of the list that it is one of where another answers too."""
    texts, scores = [text for text, _ in passage.units], [score for _, score in passage.units]
    if unit not in texts or not _number(unit):
        return [unit]
    first = last = texts.index(unit)
    while first and _number(texts[first - 1]) == _number(texts[first]) - 1 > 0:
        first -= 1
    while last + 1 < len(texts) and _number(texts[last + 1]) == _number(texts[last]) + 1:
        last += 1
    best = sorted(scores[first : last + 1], reverse=True)
    whole = len(best) > 1 and best[1] >= SECOND * best[0]
    return texts[first : last + 1] if whole else [unit]


def _number(unit: str) -> int:
    """Of a step; 0 for any other unit."""
    step = _STEP.match(unit)
    return int(step[0].strip().rstrip(".)")) if step and not is_numbered_list(unit) else 0


def also(
    passages: Sequence[Passage], said: Sequence[Sentence], best: float
) -> tuple[Sentence, ...]:
    """What else the articles that ``said`` is told from say, word for word, the likeliest answer
    first; ``best`` is the best unit's probability. Steps and lists of them are not among it, nor a
    second row of a table: that is of another size, another country."""
    articles = {passages[n - 1].article for one in said for n in one.cited if n <= len(passages)}
    found = sorted(
        (
            (score, number, place)
            for number, passage in enumerate(passages, start=1)
            if passage.article in articles
            for place, (text, score) in enumerate(passage.units)
            if score >= ALSO * best and _sensible(text) and not _STEP.match(text)
        ),
        key=lambda item: -item[0],
    )
    pieces = dict.fromkeys(_whole(passages, number, place) for _, number, place in found)
    rows = any(_ROW.search(one.text) for one in said)
    return tuple(piece for piece in pieces if not (rows and _ROW.search(piece.text)))


def unsaid(
    quotes: Sequence[Sentence], said: Sequence[str], encoder: TextEncoder
) -> tuple[Sentence, ...]:
    """Those ``quotes`` that no sentence of ``said`` gives, in words or in meaning; one with a
    number that was not said is never given. Of a table row the new cells."""
    return tuple(new for _, new in what_is_new(quotes, said, encoder))


def what_is_new(
    quotes: Sequence[Sentence], said: Sequence[str], encoder: TextEncoder
) -> tuple[tuple[Sentence, Sentence], ...]:
    """``unsaid``, each behind the quote that it is of."""
    if not quotes or not said:
        return tuple((quote, quote) for quote in quotes)
    words = _words(" ".join(said))
    vectors = encoder.embed([*said, *(quote.text for quote in quotes)])
    likeness = (vectors[len(said) :] @ vectors[: len(said)].T).max(axis=1)
    new = (
        (quote, _without_said_cells(quote, words))
        for quote, alike in zip(quotes, likeness.tolist(), strict=True)
        if not _numbers(quote.text) <= words
        or (alike < SAID_LIKENESS and _share_of(quote.text, words) < SAID_WORDS)
    )
    return tuple((quote, left) for quote, left in new if left is not None)


def repeated(text: str, said: Sequence[str]) -> bool:
    """Whether one sentence of ``said`` has all words of ``text``."""
    words = _words(text)
    return bool(words) and any(words <= _words(other) for other in said)


def cut_from(text: str, whole: str) -> bool:
    """Whether ``text`` is a sentence with something left out of it: it begins like it, and all its
    words follow in the same order. Not of a table's row or a list, which are told in parts."""
    if " – " in whole or is_numbered_list(whole):
        return False
    said, held = _in_order(text), _in_order(whole)
    left = iter(held)
    return said[:1] == held[:1] and len(said) < len(held) and all(word in left for word in said)


def _in_order(text: str) -> list[str]:
    return re.findall(r"\w+|[£€$%]", text.casefold())


def _without_said_cells(quote: Sentence, words: set[str]) -> Sentence | None:
    """A table row with those of its cells alone that say something new."""
    label, mark, rest = quote.text.removesuffix(".").partition(" – ")
    cells = rest.split("; ")
    if not all(": " in cell for cell in cells):  # no row, or a cell with a semicolon of its own
        return quote
    kept = [
        cell for cell in cells if not _numbers(cell) <= words or _share_of(cell, words) < SAID_WORDS
    ]
    return replace(quote, text=f"{label}{mark}{'; '.join(kept)}.") if kept else None


def is_numbered_list(text: str) -> bool:
    """Whether a unit is a list of steps."""
    return len(_STEP.findall(text)) > 1


def apart_from_lists(sentence: Sentence, before: str) -> Sentence:
    """``sentence`` on a line of its own where it is a list of steps or follows one."""
    if is_numbered_list(sentence.text) or _STEP.match(before.rpartition("\n")[2]):
        return replace(sentence, separator="\n")
    return sentence


def _whole(passages: Sequence[Passage], number: int, place: int) -> Sentence:
    """A unit, and the one before it where it opens with a word that points back."""
    units = passages[number - 1].units
    told = quoted(units[place][0], passages, number)
    if place and _POINTS_BACK.match(units[place][0]) and _sensible(units[place - 1][0]):
        before = quoted(units[place - 1][0], passages, number)
        return replace(told, text=f"{before.text} {told.text}")
    return told


def without_heading_again(
    quote: Sentence, said: Sequence[str], passages: Sequence[Passage]
) -> Sentence:
    """A list item without the heading of its section, where that was ``said`` before another."""
    for mark in (mark_of(_section(passages[number - 1])) for number in quote.cited):
        if quote.text.startswith(mark) and any(text.startswith(mark) for text in said):
            return replace(quote, text=quote.text.removeprefix(mark))
    return quote


def _section(passage: Passage) -> str:
    return passage.heading.rpartition(" > ")[2]


def _legible(unit: str, passage: Passage) -> str:
    """A table row or a list item as a person would like to read it, any other unit as it is."""
    shown = units(passage.text, legible=True, heading=_section(passage))
    return dict(zip(units(passage.text), shown, strict=True)).get(unit, unit)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _numbers(text: str) -> set[str]:
    return {word for word in _words(text) if word.isdigit()}


def _share_of(text: str, words: set[str]) -> float:
    own = _words(text)
    return len(own & words) / len(own) if own else 1.0


def _sentence(text: str, number: int) -> Sentence:
    whole = text if _END.search(text) else f"{text}."
    return Sentence(whole, SentenceKind.CLAIM, (number,))


def _unjudged(passages: Sequence[Passage]) -> Iterator[tuple[int, str]]:
    for number, passage in enumerate(passages, start=1):
        yield from ((number, text) for text in units(passage.text) if _sensible(text))


def _sensible(text: str) -> bool:
    return MIN_WORDS <= len(text.split()) <= MAX_WORDS
