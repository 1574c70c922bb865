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
ANSWERS, APART = 0.7, 0.75
"""A unit that answers with this probability, and no other article's with this share of it, leaves
nothing to ask back ("how can I complain"), unless the question points at something ("it")."""
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
    words = re.findall(r"[\w']+", question.lower().replace("’", "'"))
    pointing = any(word in _POINTING for word in words)
    meaning = [word for word in words if word not in _EMPTY and word not in _POINTING]
    follows = any(message.role == "customer" for message in history)
    if follows or len(meaning) > MAX_MEANING + pointing:
        return ()
    relevance: dict[str, float] = {}
    answers: dict[str, float] = {}
    titles: dict[str, str] = {}
    for passage in passages:
        name, units = passage.article, [score for _, score in passage.units]
        relevance[name] = max(relevance.get(name, 0.0), passage.score)
        answers[name] = max(answers.get(name, 0.0), *units, 0.0)
        titles[name] = passage.title
    most = max(relevance.values(), default=0.0)
    near = [name for name, score in relevance.items() if score >= RIVAL * most]
    if len(near) <= MIN_RIVALS:
        return ()
    first, second = sorted(near, key=lambda name: (-round(answers[name], 1), -relevance[name]))[:2]
    apart = answers[first] >= ANSWERS and answers[second] < APART * answers[first]
    return () if apart and not pointing else (titles[first], titles[second])
