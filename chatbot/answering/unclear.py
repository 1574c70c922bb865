"""A question that says too little, and articles that could all be meant: ask back once.

"How much does it cost?" finds the prices of ten things. Picking one of them is a guess; one
question back is shorter for the customer than a wrong answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatbot.types import HistoryMessage, Passage

RIVAL = 0.35
"""Share of the best article's relevance from which another one could as well be meant."""
MIN_RIVALS = 2  # besides the best: between two articles the first is mostly right
MAX_MEANING = 1  # words that say what it is about; with one pointing word ("it"), one more

_POINTING = frozenset(("it", "it's", "that", "this", "thing", "one", "them", "these", "those"))
_EMPTY_WORDS = (
    "a an the of to in on at for and or is are am was be been can could do does did how i my me "
    "you your we our us what when where which who why its if will would should from by as not no "
    "please get got have has had there here hi hello hey about much many long any some im i'm i've "
    "can't cant doesn't doesnt dont don't isn't isnt won't need want know tell help problem issue "
    "just really so still yet then now up out into make makes go going with work works working "
    "take takes use question thanks thank more something anything wrong trouble"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())


def rivals(
    question: str, history: Sequence[HistoryMessage], passages: Sequence[Passage]
) -> tuple[str, ...]:
    """Titles of the two likeliest articles where the question, the first of a conversation, says
    too little and several articles could be meant; () otherwise. English questions only."""
    if any(message.role == "customer" for message in history) or _says_enough(question):
        return ()
    best: dict[str, float] = {}
    titles: dict[str, str] = {}
    for passage in passages:
        best[passage.article] = max(best.get(passage.article, 0.0), passage.score)
        titles[passage.article] = passage.title
    order = sorted(best, key=lambda name: -best[name])
    near = [name for name in order[1:] if best[name] >= RIVAL * best[order[0]]]
    if len(near) < MIN_RIVALS:
        return ()
    return titles[order[0]], titles[near[0]]


def _says_enough(question: str) -> bool:
    words = re.findall(r"[\w']+", question.lower().replace("’", "'"))
    pointing = any(word in _POINTING for word in words)
    meaning = [word for word in words if word not in _EMPTY and word not in _POINTING]
    return len(meaning) > MAX_MEANING + pointing
