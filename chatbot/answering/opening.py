"""What opens an article answers a plain question.

"Do you wrap gifts?" asks for what the article on gift wrapping says first. Read by itself, one of
its asides ("Gift wrapping does not change the dates") is as near, and often nearer, since it has
fewer other words. So the opening sentence is raised where it and its title have nearly all words
of the question, and all its numbers; a question of more words asks for something further down,
and one that leans on the turn before ("and the waist?") is about what was told there.

Whether anything is answered at all is decided on what the reranker found (``answerable``), which
knows nothing of where a sentence stands; but where an opening has all words of a question, an
article is about just that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence, Set
from dataclasses import replace

from chatbot.safety.grounding_words import content_stems, tidy
from chatbot.types import HistoryMessage, Passage
from knowledge_base.query import leans_on_the_turn_before

RAISED = 2.0
"""Added to the log odds. Of 83 plain questions it changes the best unit of 28, of 24 for the
better, read by hand; of train and dev questions as many rows are satisfied by it as before."""
COVERED = 0.75  # of the question's content words, in the title or in the opening
NOT_UNLIKELY = 0.2
"""Probability of an opening with all words of a question from which it answers, whatever the answer
model doubts. Of 216 train and dev questions without an answer none has such an opening, of 280
messages about something else none, of 241 others 50."""
_FEWEST_WORDS = 4
_NUMBER = re.compile(r"(?:[^\W\d_]+ )?\d+(?:[.,]\d+)?")
"""With the word before it: a "Tarn 2" for "3 nights" is no "Tarn 3"."""
_STEP_OR_ROW = re.compile(r"\d{1,2}[.)] |[^:.]{1,60}:(?: |$)")


def with_openings(
    passages: Sequence[Passage], question: str, history: Sequence[HistoryMessage] = ()
) -> tuple[Passage, ...]:
    """The passages with the probabilities of the sentences raised that open an article about what
    is asked; order and scores stay."""
    about = _about(question, history)
    return tuple(
        _raised(passage) if _covered(passage, about) >= COVERED else passage for passage in passages
    )


def is_plainly_answered(
    passages: Sequence[Passage], question: str, history: Sequence[HistoryMessage] = ()
) -> bool:
    """Whether an article of ``passages`` (as they were judged) opens with what is asked, all of it,
    and not unlikely with the answer."""
    about = _about(question, history)
    return any(p.units[0][1] >= NOT_UNLIKELY for p in passages if _covered(p, about) == 1)


def _about(question: str, history: Sequence[HistoryMessage]) -> Set[str]:
    """Stems and numbers; none of a message that is not understood by itself."""
    follows = any(message.role == "customer" for message in history)
    if follows and leans_on_the_turn_before(question):
        return frozenset()
    return _words(question)


def _covered(passage: Passage, about: Set[str]) -> float:
    """Share of ``about`` that the opening and its title have; 0 where a number is missing, or the
    passage opens no article."""
    if not (about and passage.units and passage.chunk.endswith("#0")):
        return 0.0
    first = passage.units[0][0]
    if _STEP_OR_ROW.match(first) or len(first.split()) < _FEWEST_WORDS:
        return 0.0
    missing = about - _words(f"{passage.title} {first}")
    if any(word[-1].isdigit() for word in missing):
        return 0.0
    return 1 - len(missing) / len(about)


def _words(text: str) -> Set[str]:
    return frozenset((*content_stems(tidy(text)), *_NUMBER.findall(text.casefold())))


def _raised(passage: Passage) -> Passage:
    (first, score), *others = passage.units
    odds = score / max(1 - score, 1e-6) * math.exp(RAISED)
    return replace(passage, units=((first, odds / (1 + odds)), *others))
