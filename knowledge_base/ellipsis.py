""" "And Ireland?" after "How much is delivery to the UK?": the question that is meant.

A follow-up that names one thing and no verb asks the question before it of another thing. The
words that it stands for are those of the earlier question that are most like it. Joined with that
question instead, both countries are asked for, and the first is answered again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from knowledge_base.encoder import TextEncoder

LIKE = 0.4
"""Cosine of the thing named with the words it stands for. On the follow-ups of train and dev, six
of seven pairs above it were meant, and four of eleven below."""
NEARLY = 0.06  # so much less like, a longer run of words is taken: "UK mainland", not "UK"
MOST_WORDS = 6  # of the thing named
LONGEST = 4  # words that it stands for

_JOIN = re.compile(
    r"^\W*(?:(?:and|but|or|ok|okay|so|also|then)\b\W*)*(?:(?:what|how) about\b)?\s*", re.IGNORECASE
)
_PREPOSITION = re.compile(
    r"^(?:for|in|at|to|with|on|from|by|about|during|me|us)\s+|^(?:the|an?)\s+", re.IGNORECASE
)
_ARTICLE = re.compile(r"\b(?:the|an?)\s+$", re.IGNORECASE)
_TAIL = re.compile(r"\s+(?:too|as well|then|instead|please|also)$", re.IGNORECASE)
_CLAUSE = re.compile(
    r"\b(?:what|how|when|where|who|which|why|can|could|do|does|did|don't|is|are|am|was|were|will"
    r"|would|may|must|should|have|has|had|need|get|pay|i|i'm|you|they|it|that|this|we|if|there'?s"
    r"|nobody'?s)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[£€$]?\w+(?:[.,'’-]\w+)*")
_STOP_WORDS = """a an the of to in on at for from by with and or my your our their his her its i you
    we they it is are was be do does did can could will would may must should has have had what how
    when where who which why much many long often soon there if then me us not no"""
_STOPS = frozenset(_STOP_WORDS.split())


def asked_of_another(previous: str, question: str, encoder: TextEncoder) -> str | None:
    """``previous`` with the thing that ``question`` names in place of what it stands for, or None
    where ``question`` is a sentence of its own or nothing in ``previous`` is like it."""
    named = _TAIL.sub("", _JOIN.sub("", question, count=1).strip(" ?.!"))
    if not named or len(named.split()) > MOST_WORDS or _CLAUSE.search(named):
        return None
    while (shorter := _PREPOSITION.sub("", named, count=1)) != named:
        named = shorter
    places = list(_runs(previous))
    if not named or not places:
        return None
    vectors = encoder.embed([named, *(previous[start:end] for start, end in places)])
    likeness = vectors[1:] @ vectors[0]
    if float(likeness.max()) < LIKE:
        return None
    near = [place for place, like in zip(places, likeness, strict=True)
            if like >= likeness.max() - NEARLY]  # fmt: skip
    start, end = max(near, key=lambda place: place[1] - place[0])
    return f"{_ARTICLE.sub('', previous[:start])}{named}{previous[end:]}"


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Runs of words that begin and end with a word that says something."""
    words = list(_WORD.finditer(text))
    for first, word in enumerate(words):
        if word[0].lower() in _STOPS:
            continue
        for last in words[first : first + LONGEST]:
            if last[0].lower() not in _STOPS:
                yield word.start(), last.end()
