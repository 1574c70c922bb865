"""How likely it is that what was found holds the answer, and that a message asks for one.

Two judges that read differently: the reranker sets each unit beside the question by itself, the
answer model reads the best units together and weighs its abstention. Either alone is often sure of
a near miss; logistic regression on the sample company's dev questions, which neither has learnt
from, weighs both (``python -m finetune answerable``, decision 0166).

Both have only ever read questions to a shop. Of "mmm" or "turn off the kitchen lights" the model
doubts nothing, so whether a message is the shop's matter at all is judged apart, by what the search
and the router make of it (``ours``). After another question that finds something for any message,
so there it counts what the message finds by itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from chatbot.answering.focus import MAX_UNITS
from chatbot.types import Passage
from knowledge_base.query import leans_on_the_turn_before

BOTH = (-0.238, 0.184, 1.227)
"""Constant, then the weights of the logits of any of the best units being the answer, and of an
answer (the abstention's, negative)."""
ALONE = (-0.087, 0.405)
"""Without the answer model, where its engine cannot tell."""
OURS = (-1.206, 0.439, 1.47, -0.159, 1.755)
"""Constant, then the weights of the logits of the best unit, of the best passage's relevance and of
the router's score for what is out of scope, and of the logarithm of one and the number of words."""
AFTER = (1.986, 0.665, 0.651, 1.144, -0.115, 2.18)
"""The same after an earlier question: constant, then the logits of the best unit and of the best
relevance that the message finds by itself, of the relevance found together with that question, of
the router's score; and 1 where its words lean on the turn before."""
SURE = 0.9
"""Best unit from which the reranker decides alone. On dev the model doubts there as often where an
article answers (8 of 42) as where none does (1 of 4)."""
BOUND = 0.002  # probabilities are cut here before their logits are taken


def answerable(passages: Sequence[Passage], doubt: float | None) -> float:
    """Probability from 0 to 1; ``doubt`` is the answer model's of its abstention.

    Passages that no reranker judged count as found: nothing speaks against them.
    """
    scores = sorted((score for p in passages for _, score in p.units), reverse=True)
    if not scores:
        return 1.0 if doubt is None else 1.0 - doubt
    seen = features(scores, doubt)
    odds = probability(ALONE if doubt is None else BOTH, seen)
    return max(odds, SURE) if scores[0] >= SURE else odds


def ours(
    passages: Sequence[Passage],
    out_of_scope: float,
    question: str,
    alone: Sequence[Passage] | None = None,
) -> float:
    """Probability that a message is about what the articles are about; ``out_of_scope`` is the
    router's, ``alone`` what a message finds by itself that was searched for together with the
    question before. Passages that no reranker judged leave that to the router: 1."""
    seen = matter(passages, out_of_scope, question, alone)
    return probability(OURS if alone is None else AFTER, seen) if seen else 1.0


def matter(
    passages: Sequence[Passage],
    out_of_scope: float,
    question: str,
    alone: Sequence[Passage] | None = None,
) -> tuple[float, ...] | None:
    """What ``OURS`` or, with ``alone``, ``AFTER`` weighs; None where no reranker judged."""
    found = passages if alone is None else alone
    best = max((score for p in found for _, score in p.units), default=None)
    if best is None:
        return None
    relevance = max(passage.score for passage in found)
    if alone is None:
        words = len(re.findall(r"\w+", question))
        return logit(best), logit(relevance), logit(out_of_scope), math.log1p(words)
    together = max(passage.score for passage in passages)
    leans = float(leans_on_the_turn_before(question))
    return logit(best), logit(relevance), logit(together), logit(out_of_scope), leans


def features(scores: Sequence[float], doubt: float | None) -> tuple[float, ...]:
    """What the weights are for; ``scores`` are the units', best first.

    That a second unit says nothing is no sign against the best one: many help centres say each
    thing once.
    """
    none = math.prod(1 - score for score in scores[:MAX_UNITS])
    own = (logit(1 - none),)
    return own if doubt is None else (*own, -logit(doubt))


def probability(weights: Sequence[float], seen: Sequence[float]) -> float:
    """``weights``: the constant, then one for each of ``seen`` (``features``)."""
    total = weights[0] + sum(w * x for w, x in zip(weights[1:], seen, strict=True))
    return 1 / (1 + math.exp(-total))


def logit(probability: float) -> float:
    inside = min(max(probability, BOUND), 1 - BOUND)
    return math.log(inside / (1 - inside))
