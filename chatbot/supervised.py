"""A turn that ends well: what the lead wants to be read first is held before anything streams, and
whatever breaks becomes a hold (invariant 2). Whoever delivers to a customer runs turns so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from chatbot.desk import Desk
from chatbot.safety.released import Draft
from chatbot.steps import Held, Replied, Steps, TurnRequest, Understood
from chatbot.turn import run_turn
from chatbot.types import Action, Reason, ReasonCode, Route

log = logging.getLogger(__name__)

Wanted = Callable[[Route], tuple[Reason, ...]]
"""Why a person reads the answer of this route first although no check objects; () if nobody must
(``ReviewRules.reasons``)."""


async def supervised_turn(
    request: TurnRequest, desk: Desk, *, wanted: Wanted, deadline_s: float, name: str
) -> Steps:
    """The steps of ``run_turn``; exactly one terminal step, Held where the turn breaks or takes
    longer than ``deadline_s`` seconds. ``name`` is the turn's in the log."""
    turn = run_turn(request, desk)
    route: Route | None = None
    why: tuple[Reason, ...] = ()
    deadline = asyncio.get_running_loop().time() + deadline_s
    try:
        while True:
            async with asyncio.timeout_at(deadline):
                step = await anext(turn, None)
            if step is None:
                return
            if isinstance(step, Understood) and route is None:
                route = step.route
                composed = route.action in (Action.ANSWER, Action.ALWAYS_REVIEW)
                why = wanted(route) if composed and not request.released else ()
                if why:
                    # Begun anew so that nothing streams; the message is read twice.
                    await turn.aclose()
                    turn = run_turn(replace(request, sampled=True), desk)
            elif isinstance(step, Understood):
                continue
            if isinstance(step, Held) and why:
                step = replace(step, reasons=(*why, *_but(step.reasons, request.sampled)))
            if isinstance(step, Replied) and step.related:
                shown = await desk.showable(step.related)
                step = replace(step, related=tuple(passage for passage in shown if passage.title))
            yield step
    except TimeoutError:
        log.error("turn %s passed its deadline", name)
        yield broken_turn("took too long", route)
    except Exception as error:
        log.exception("turn %s broke", name)
        yield broken_turn(f"broke ({type(error).__name__})", route)
    finally:
        await turn.aclose()


def broken_turn(what: str, route: Route | None = None) -> Held:
    """A hold without a draft: a person answers in the bot's place."""
    reason = Reason(ReasonCode.ENGINE_FAILED, f"The turn {what}; please answer yourself.")
    route = route or Route(
        intent="", confidence=0.0, out_of_scope=False, action=Action.ALWAYS_REVIEW, why=what
    )
    return Held(route, (reason,), Draft(), 0, ())


def _but(reasons: tuple[Reason, ...], sampled: bool) -> list[Reason]:
    """Without the reason by which the turn was only made to hold."""
    return [r for r in reasons if sampled or r.code is not ReasonCode.SAMPLED]
