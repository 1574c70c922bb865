"""What an experiment did to customers: by conversation, with significance, and its guard.

Conversations begun since both models answer are divided by the experiment's own hash. Two shares
are compared by Fisher's exact test (R. A. Fisher, 1935), which holds for small numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from chatbot.answering.experiment import Arm, Experiment, Experiments
from chatbot.conversations.office import Office
from chatbot.storage.tables import SYSTEM, Conversation, Feedback, Message, ReviewItem

LOADING_S = 60.0  # after the start: workers load the candidate, and may still answer without it
BREACHED_P = 0.01
LEAST = 30  # conversations of each arm before a guard may speak
FIGURES = ("resolved", "held", "edited", "thumbs_down")
LOWER_IS_BETTER = frozenset({"held", "edited", "thumbs_down"})

ArmOf = Callable[[str, float], Arm | None]
"""Which model a conversation (id, when it began) met; None: it does not count."""


@dataclass
class _Story:
    """One conversation, as far as it tells something about the model."""

    arm: Arm
    answered: bool = False
    person: bool = False
    waiting: bool = False
    held: bool = False
    decided: Counter[str] = field(default_factory=Counter)
    thumbs: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, bool | None]:
        """None: it does not tell."""
        changed = self.decided["edited"] + self.decided["rejected"]
        return {
            "resolved": not (self.person or self.waiting) if self.answered or self.held else None,
            "held": self.held if self.answered or self.held else None,
            "edited": changed > 0 if self.decided.total() else None,
            "thumbs_down": self.thumbs["down"] > 0 if self.thumbs.total() else None,
        }


async def trial_figures(office: Office, experiment: Experiment) -> dict[str, Any]:
    """Conversations by arm, and for each figure and arm {share, n}, ``p`` (two-sided) and
    whether the candidate is worse."""
    since = experiment.started_at + LOADING_S
    return await compared(office, since, lambda name, _: experiment.arm(name))


async def compared(office: Office, since: float, arm_of: ArmOf) -> dict[str, Any]:
    """As ``trial_figures``, of conversations begun at or after ``since``, divided by ``arm_of``."""
    stories = await _stories(office, since, arm_of)
    counts: dict[str, dict[Arm, list[int]]] = defaultdict(
        lambda: {"serving": [0, 0], "candidate": [0, 0]}
    )
    for story in stories:
        for name, value in story.figures().items():
            if value is not None:
                counts[name][story.arm][0 if value else 1] += 1
    arms = Counter(story.arm for story in stories)
    return {
        "conversations": {arm: arms[arm] for arm in ("serving", "candidate")},
        "figures": {name: _tested(name, counts[name]) for name in FIGURES},
    }


def breached(
    figures: dict[str, Any], names: Sequence[str] = FIGURES, p: float = BREACHED_P
) -> str | None:
    """Why the candidate must go, if it must: the first of ``names`` that is worse."""
    if min(figures["conversations"].values()) < LEAST:
        return None
    for name in names:
        found = figures["figures"][name]
        if found["worse"] and found["p"] < p:
            shares = ", ".join(
                f"{arm} {found[arm]['share']:.1%}" for arm in ("serving", "candidate")
            )
            return f"{name} is worse ({shares}, p = {found['p']:.4f})"
    return None


async def guard(office: Office) -> str | None:
    """Ends an A/B experiment whose candidate does harm, with an audit row; says why. Safe on any
    number of workers: ending it twice is ending it once."""
    experiments = Experiments.of(office.settings)
    running = experiments.current()
    if running is None or running.mode != "ab":
        return None
    figures = await trial_figures(office, running)
    why = breached(figures)
    if why is None:
        return None
    async with office.write() as rows:
        if experiments.current() != running:
            return None  # another worker was first
        experiments.stop(f"guard: {why}", figures)
        data = {"candidate": running.candidate, "why": why}
        await rows.audit(SYSTEM, "system", "answers.trial_ended", running.candidate[:40], data)
    return why


def _tested(name: str, counts: dict[Arm, list[int]]) -> dict[str, Any]:
    from scipy.stats import fisher_exact

    table = [counts["serving"], counts["candidate"]]
    totals = [sum(row) for row in table]
    shares = [row[0] / total if total else None for row, total in zip(table, totals, strict=True)]
    p = float(fisher_exact(table).pvalue) if all(totals) else 1.0
    worse = None not in shares and (
        shares[1] > shares[0] if name in LOWER_IS_BETTER else shares[1] < shares[0]  # type: ignore[operator]
    )
    return {
        "serving": {"share": shares[0], "n": totals[0]},
        "candidate": {"share": shares[1], "n": totals[1]},
        "p": p,
        "worse": worse,
    }


async def _stories(office: Office, since: float, arm_of: ArmOf) -> list[_Story]:
    async with office.read() as rows:
        begun = await rows.session.execute(
            select(Conversation.id, Conversation.state, Conversation.created_at).where(
                Conversation.created_at >= since
            )
        )
        stories = {
            row.id: _Story(arm, waiting=row.state in ("waiting", "person"))
            for row in begun
            if (arm := arm_of(row.id, row.created_at)) is not None
        }
        of_these = Conversation.created_at >= since
        messages = await rows.session.execute(
            select(Message.conversation_id, Message.author_kind, Message.provenance)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(of_these, Message.state == "delivered")
        )
        for message in messages:
            if (story := stories.get(message.conversation_id)) is None:
                continue
            story.person |= message.author_kind == "person"
            story.answered |= (
                message.author_kind == "bot" and message.provenance.get("by") == "gate"
            )
        items = await rows.session.execute(
            select(ReviewItem.conversation_id, ReviewItem.resolution)
            .join(Conversation, Conversation.id == ReviewItem.conversation_id)
            .where(of_these)
        )
        for item in items:
            if (story := stories.get(item.conversation_id)) is None:
                continue
            story.held = True
            if item.resolution in ("approved", "edited", "rejected"):
                story.decided[item.resolution] += 1
        thumbs = await rows.session.execute(
            select(Message.conversation_id, Feedback.thumbs)
            .join(Message, Message.id == Feedback.message_id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(of_these)
        )
        for thumb in thumbs:
            if (story := stories.get(thumb.conversation_id)) is not None:
                story.thumbs[thumb.thumbs] += 1
    return list(stories.values())
