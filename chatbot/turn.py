"""The journey of one message, top to bottom.

    text -> screen -> route -> retrieve -> compose -> gate -> released | held | handed over

Nothing here knows of HTTP or of the database: the caller decides what a step means for the
waiting customer (``conversations``), for an agent (``assist``) or for an API client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chatbot.answering.unclear import rivals
from chatbot.curated_answer import Curated
from chatbot.desk import Desk
from chatbot.drafting import RELATED, Drafting, nothing_found
from chatbot.safety.gate import Candidate
from chatbot.safety.released import Released, release_by_gate, release_static
from chatbot.steps import HandedOver, Otherwise, Replied, Steps, TurnRequest, Understood
from chatbot.types import (
    Action,
    Passage,
    ReasonCode,
    Route,
    Screening,
    SentenceKind,
    Verdict,
)
from knowledge_base.curated import CuratedAnswer
from knowledge_base.query import leans_on_the_turn_before, search_queries

PASSAGES = 6  # searched for; the model reads the best units of them (answering/focus.py)


async def run_turn(request: TurnRequest, desk: Desk) -> Steps:
    """Yields ``Understood``, then what happens. Exactly one terminal step ends a turn:
    Replied, HandedOver, Held or Answered."""
    screening, route = await desk.understand(
        request.question, request.history, request.placeholders
    )
    yield Understood(screening, route)

    otherwise: Otherwise | None = None
    if not request.always_compose:
        otherwise = _fixed_reply(route, screening, desk)
    curated = None
    if otherwise is None or _staff_first(route, screening):
        curated = await _foreseen(request, desk, screening)
    if otherwise is not None:
        if curated is None and not _articles_first(route, screening):
            yield otherwise
            return
        but = "staff wrote the answer" if curated else "an article answers"
        route = replace(route, action=Action.ANSWER, why=f"{route.why}; but {but}")
    if curated is not None:
        async for step in Curated(request, desk, screening, route, *curated).run():
            yield step
        return

    history = [(m.role, m.text) for m in request.history]
    queries = await desk.workers.run(search_queries, history, screening.redacted, desk.encoder)
    found = await desk.retrieve(queries, PASSAGES, request.audiences, locale=request.locale)
    passages = tuple(found)
    if not passages:
        if route.action is Action.ALWAYS_REVIEW and not request.always_compose:
            otherwise = _handed_over(route, desk.company.texts)  # a person sees it in any case
        related = await desk.retrieve(
            queries, PASSAGES, request.audiences, floor=False, locale=request.locale
        )
        passages = tuple(related)
        judged = any(passage.units for passage in passages)
        if request.always_compose or not judged:
            yield otherwise or nothing_found(route, desk, passages[:RELATED])
            return
    alone = await desk.found_alone(queries, PASSAGES, request.audiences, locale=request.locale)
    answer = Drafting(request, desk, screening, route, passages, queries[0], otherwise, alone)
    may_ask_back = route.action is Action.ANSWER and not otherwise and not request.always_compose
    may_ask_back = may_ask_back and answer.is_ours
    meant = rivals(screening.redacted, request.history, passages) if may_ask_back else ()
    asked = await _asked_back(meant, desk)
    if asked is not None:
        yield Replied(asked, passages[:RELATED])
    else:
        async for step in answer.run():
            yield step


async def _asked_back(meant: Sequence[str], desk: Desk) -> Released | None:
    """The question which of two articles is meant; None where none is asked, or where the gate
    objects to a title, which comes from the articles and was approved by nobody."""
    if not meant:
        return None
    labels = {"first": f"“{meant[0]}”", "second": f"“{meant[1]}”"}
    text = release_static("clarify_between", desk.company.texts, labels).text
    decision = await desk.gate.decide(Candidate(text, kind=SentenceKind.QUESTION))
    return release_by_gate(text, decision) if decision.verdict is Verdict.RELEASE else None


def _fixed_reply(route: Route, screening: Screening, desk: Desk) -> Otherwise | None:
    """Routes that need no model: crisis, templates, refusals, slots, handovers."""
    texts = desk.company.texts
    if screening.crisis or route.action is Action.CRISIS:
        return HandedOver(release_static("crisis", texts), urgent=True, why=route.why)
    if route.action is Action.HANDOVER:
        return _handed_over(route, texts)
    if _refused(screening):
        return Replied(release_static("refuse", texts))
    if route.action is Action.TEMPLATE:
        return Replied(release_static(route.template or "greeting_reply", texts))
    if route.action is Action.ASK_SLOT:
        return Replied(release_static(route.template or f"ask_{route.missing_slot}", texts))
    if route.action is Action.REFUSE:
        return Replied(release_static(route.template or "refuse", texts))
    if route.action is Action.CLARIFY:
        first, second = desk.labels(route)
        if first and second:
            labels = {"first": first, "second": second}
            return Replied(release_static("clarify_between", texts, labels))
        return Replied(release_static("clarify", texts))
    return None


async def _foreseen(
    request: TurnRequest, desk: Desk, screening: Screening
) -> tuple[CuratedAnswer, Passage | None] | None:
    """What staff wrote for this very question. One that leans on the turn before is another."""
    if request.history and leans_on_the_turn_before(screening.redacted):
        return None
    return await desk.curated(screening.redacted, request.audiences, request.locale)


def _staff_first(route: Route, screening: Screening) -> bool:
    """Whether what staff wrote for a question goes before the fixed reply to its kind: not before
    a person, nor before what the policy declares to be refused."""
    if screening.crisis or _refused(screening):
        return False
    fixed = route.action in (Action.TEMPLATE, Action.ASK_SLOT, Action.CLARIFY)
    return fixed or _articles_first(route, screening)


def _articles_first(route: Route, screening: Screening) -> bool:
    """Whether a fixed reply is given only where no article answers: a refusal because it looks like
    nobody's matter here ("jaket leeking" does, and is in the articles), and small talk or a
    question back that the router was not sure of. What the policy declares to be refused, and what
    attacks, stays refused."""
    if screening.crisis or _refused(screening):
        return False
    if route.action is Action.REFUSE:
        return route.out_of_scope
    return not route.sure and route.action in (Action.TEMPLATE, Action.ASK_SLOT)


def _refused(screening: Screening) -> bool:
    """Whether the message attacks the bot, or the policy wants its kind to be refused."""
    refused = (ReasonCode.INJECTION, ReasonCode.TOXIC_REPLACED)
    return any(reason.code in refused for reason in screening.reasons)


def _handed_over(route: Route, texts: Mapping[str, str]) -> HandedOver:
    text_id = route.template or "handover_notice"
    return HandedOver(release_static(text_id, texts), urgent=route.urgent, why=route.why)
