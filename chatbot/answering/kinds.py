"""What a sentence does, by rules that a person can read. In doubt it is a claim, because a
claim must be supported and nothing else need be."""

from __future__ import annotations

import re

from chatbot.types import SentenceKind

_FACT = re.compile(r"\d|https?:|www\.|@|[£€$%]")
_MAX_COURTESY_WORDS = 14
_MAX_QUESTION_WORDS = 20

_ABSTENTION = re.compile(
    r"(?:i(?:'m| am) (?:sorry|afraid),?(?: but)?,? )?"
    r"(?:i (?:can't|cannot|can not|couldn't|could not|don't|do not) (?:find|have|see) "
    r"(?:that|this|it|an answer|the answer|any information|information|anything)"
    r"(?: (?:about|on) (?:that|this|it))?"
    r"(?: in (?:our|the) (?:help )?(?:articles|passages|help centre|help center))?"
    r"|(?:our|the) (?:help )?articles (?:don't|do not) (?:say|cover (?:that|this|it)))",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:(?:hello|hi|hey|good (?:morning|afternoon|evening))(?: there)?"
    r"|(?:many )?thank(?:s| you)(?: (?:so much|very much|a lot|again))?"
    r"(?: for (?:asking|your (?:message|question|patience|understanding)"
    r"|getting in touch|contacting us|reaching out|letting (?:us|me) know|waiting))?"
    r"|you(?:'re| are) (?:very )?welcome|my pleasure|no problem|of course|certainly|sure"
    r"|(?:i(?:'m| am) )?(?:very |so |really )?sorry(?: (?:to hear that|about that"
    r"|for the (?:trouble|inconvenience|wait|delay)))?"
    r"|(?:i|we) hope (?:this|that) helps|(?:i(?:'m| am) )?(?:happy|glad) to help"
    r"|(?:i(?:'d| would) be )(?:happy|glad) to help"
    r"|have a (?:nice|good|great|lovely) (?:day|evening|weekend)"
    r"|(?:please )?let me know if you (?:need|have) (?:anything else"
    r"|any (?:other |more |further )?questions|more help)"
    r"|that sounds (?:annoying|frustrating)|i understand(?: (?:your|the) frustration)?"
    r"|goodbye|bye|take care)"
    r"(?:,? (?:today|now|too|again))?",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:and |or |so |also,? )?(?:what|which|when|where|who|how|why|would|could|can|may|do|does"
    r"|did|is|are|was|were|will|shall|should|have|has|anything|is there)\b",
    re.IGNORECASE,
)
_ASSERTS = re.compile(r"\b(?:did you know|do you realise|isn't it|aren't they|right\?)", re.I)


def sentence_kind(text: str) -> SentenceKind:
    """The kind of one sentence (marks or none).

    Courtesy and abstention must match whole, so 'Sorry, returns cost extra.' is a claim; a
    question that carries a number, a price, an address or a link is a claim too.
    """
    plain = text.replace("’", "'").strip().strip("\"'“” ")
    body = plain.rstrip(" .!?…")
    words = len(body.split())
    if _ABSTENTION.fullmatch(body):
        return SentenceKind.ABSTENTION
    if _FACT.search(plain):
        return SentenceKind.CLAIM
    if words <= _MAX_COURTESY_WORDS and _COURTESY.fullmatch(body):
        return SentenceKind.COURTESY
    if (
        plain.endswith("?")
        and words <= _MAX_QUESTION_WORDS
        and _ASKS.match(plain)
        and not _ASSERTS.search(plain)
        and "," not in body
    ):
        return SentenceKind.QUESTION
    return SentenceKind.CLAIM
