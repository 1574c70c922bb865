"""What to search for: a follow-up joined with the turn before, a double question part by part."""

from __future__ import annotations

import re
from collections.abc import Sequence

from knowledge_base.ellipsis import asked_of_another
from knowledge_base.encoder import TextEncoder

CUSTOMER = "customer"
SHORT_WORDS = 8
"""Up to so many words a question may lean on the turn before."""
MAX_CHARS = 600  # of an earlier turn: the encoder reads 256 tokens for both

_OPENERS = re.compile(
    r"^\W*(and|or|but|also|so|then|what about|how about|what if|in that case|same"
    r"|ok(ay)?,? (and|so|but)"
    r"|und|oder|aber|auch|was ist mit|wie ist es mit|en|maar|ook|hoe zit het met)\b",
    re.IGNORECASE,
)
_POINTERS = re.compile(
    r"\b(it|its|that|this|these|those|they|them|there|one|ones|such|either|both|he|she|him|her"
    r"|dies|diese[rsmn]?|das|dafür|damit|davon|dort|dat|deze|die|daar)\b",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(hi|hello|hey|good (morning|afternoon|evening)|thanks?|thank you|ok(ay)?|yes|no|great"
    r"|hallo|moin|danke|ja|nein|bedankt|nee)\b\W*$",
    re.IGNORECASE,
)

_ASKS = (
    r"(?:(?:and |or |but |also |then ){0,2}(?:by|from|to|until|after|in|at|on|for|since|with) )?"
    r"(?:what|how|when|where|who|whom|which|why|can|could|do|does|did|is|are|am|was|will|would|may"
    r"|must|should|have|has)(?:'s|'re|'d|'ll|n't)?\b"
)
_TOLD_FIRST = (
    r"(?:if [^,?]{2,80},? |(?:once|when|after|before|as|for|on|in|from|with|since) [^,?]{2,80}, )?"
)
_JOIN = r"(?:and|or|but|plus|also)(?: (?:also|then))?"
_NEXT_PART = re.compile(
    rf"(?:,|;)?\s+{_JOIN}\s+(?={_TOLD_FIRST}{_ASKS})|\?\s+(?=\S)", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<=[.!:])\s+")
_ASKING = re.compile(rf"^\W*(?:{_JOIN} )?{_TOLD_FIRST}{_ASKS}", re.IGNORECASE)
MOST_PARTS = 3
PART_WORDS = 3  # shorter parts say too little to be looked for


def is_follow_up(question: str) -> bool:
    """Whether a question leans on the turn before: short, pointing, or opening with a join."""
    return bool(
        len(re.findall(r"\w+", question)) <= SHORT_WORDS or leans_on_the_turn_before(question)
    )


def leans_on_the_turn_before(question: str) -> bool:
    """Whether its words say so: it joins on to something, or points to it."""
    return bool(_OPENERS.search(question) or _POINTERS.search(question))


def search_queries(
    history: Sequence[tuple[str, str]], question: str, encoder: TextEncoder | None = None
) -> tuple[str, ...]:
    """What to search for, to be interleaved. ``history`` is (role, text), oldest first,
    without the question.

    After an earlier turn of the customer's (greetings and thanks are passed over), a question is
    searched for twice: joined with that turn, because it may lean on it, and as it stands, because
    it may as well begin another matter. The likelier one by its words comes first; the retriever,
    which sees what each of them finds, may turn them round (``Retriever.in_order``). With
    ``encoder``, a follow-up that names another thing is searched for as the question that is
    meant, first of all (``knowledge_base.ellipsis``). A message with two questions is searched for
    as a whole and for each.
    """
    before = next(
        (
            text.strip()[-MAX_CHARS:]
            for role, text in reversed(history)
            if role == CUSTOMER and not _GREETING.match(text) and text.strip() != question.strip()
        ),
        None,
    )
    if before is None:
        return (question, *parts(question))
    joined = f"{before}\n{question}"
    if is_follow_up(question):
        meant = asked_of_another(before, question, encoder) if encoder else None
        return (*filter(None, [meant]), joined, question)
    return (question, *(parts(question) or (joined,)))


def joined_pair(queries: Sequence[str]) -> tuple[int, int] | None:
    """Places of a question joined with the turn before it, and of the question as it stands."""
    for joined, longer in enumerate(queries):
        for alone, query in enumerate(queries):
            if longer.endswith(f"\n{query}"):
                return joined, alone
    return None


def parts(question: str) -> tuple[str, ...]:
    """The questions of a message that asks several: the first with what is told before it, each
    later one joined with it as a follow-up would be. () where it asks one."""
    *told, asked = _SENTENCE.split(question.strip())
    pieces = [piece.strip(" ,;?") for piece in _NEXT_PART.split(asked)]
    asking = [piece for piece in pieces if _ASKING.match(piece)]
    if len(asking) < 2 or len(asking) < len(pieces):
        return ()
    if any(len(re.findall(r"\w+", piece)) < PART_WORDS for piece in asking):
        return ()
    first, *later = asking[:MOST_PARTS]
    opening = " ".join([*told, f"{first}?"])
    return (opening, *(f"{opening}\n{piece}?" for piece in later))
