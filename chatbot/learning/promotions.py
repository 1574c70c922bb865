"""What a promotion did to customers, before and after it; a harmful one is rolled back.

Nobody meets both models here, so the days before stand for what customers may expect. That is
weaker evidence than an A/B test: only figures count that do not hang on the hour or on who is on
duty, and far less chance is allowed.
"""

from __future__ import annotations

from typing import Any

from chatbot.answering.experiment import Arm, Experiments
from chatbot.answering.served import AnswerRegistry, Promotion
from chatbot.conversations.office import Office
from chatbot.learning.trials import LOADING_S, breached, compared
from chatbot.storage.tables import SYSTEM

BEFORE_S = 14 * 86_400.0
WATCHED_S = 7 * 86_400.0  # afterwards a change of season looks like harm
GUARDED = ("held", "edited", "thumbs_down")
"""Not ``resolved``: in the evening, when nobody is on duty, every handover waits."""
BREACHED_P = 0.001  # looked at every minute for a week


async def promotion_figures(office: Office, promotion: Promotion) -> dict[str, Any]:
    """As ``trials.trial_figures``; ``serving`` are the conversations of the two weeks before."""
    running = Experiments.of(office.settings).current()

    def arm_of(name: str, begun: float) -> Arm | None:
        if begun < promotion.at:
            return "serving"
        tried = running is not None and running.arm(name) == "candidate"
        loaded = promotion.at + LOADING_S <= begun < promotion.at + WATCHED_S
        return "candidate" if loaded and not tried else None

    since = max(promotion.at - BEFORE_S, promotion.before_since)
    return await compared(office, since, arm_of)


def harm(figures: dict[str, Any]) -> str | None:
    """Why the promotion must be taken back, if it must."""
    return breached(figures, GUARDED, BREACHED_P)


async def guard_promotion(office: Office) -> str | None:
    """Serves again what served before, with an audit row, if customers fare worse since the last
    promotion; says why. Safe on any number of workers: only what still serves is rolled back."""
    registry = AnswerRegistry.of(office.settings)
    promotion = registry.promotion()
    if promotion is None:
        return None
    async with office.read() as rows:
        if rows.now >= promotion.at + WATCHED_S:
            return None
    why = harm(await promotion_figures(office, promotion))
    if why is None:
        return None
    async with office.write() as rows:
        if registry.promotion() != promotion:
            return None  # another worker was first
        now, until_now = registry.roll_back(only=promotion.version)
        data = {
            "now": now or "default",
            "until_now": until_now or "default",
            "why": f"guard: {why}",
        }
        await rows.audit(SYSTEM, "system", "answers.rolled_back", (now or "default")[:40], data)
    return f"{promotion.version}: {why}; {now or 'the default adapter'} serves again"
