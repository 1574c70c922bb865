"""The routes that the rules of ``decision.py`` choose between, made for one turn."""

from __future__ import annotations

from chatbot.routing.evidence import Evidence, Turn
from chatbot.routing.policy_file import DeclaredRoute, Routes
from chatbot.types import Action, Route, Tone


class Outcome:
    """Makes routes with the templates, slots and urgency that ``routes.toml`` declares.

    ``act`` is the confidence from which the first intent is trusted.
    """

    def __init__(self, routes: Routes, turn: Turn, evidence: Evidence, act: float) -> None:
        self.file, self.turn, self.evidence, self.act = routes.file, turn, evidence, act
        self.prediction = turn.prediction
        self.first = routes.route(turn.prediction.intent)

    def declared(self, declared: DeclaredRoute, why: str) -> Route:
        """What ``routes.toml`` says of an intent; a slot that it needs is asked for once."""
        urgent = declared.urgent
        if declared.action is not Action.ASK_SLOT or declared.slot is None:
            template = declared.template or self.template_of(declared.action)
            return self.make(declared.action, why, template=template, urgent=urgent)
        slot = self.file.slots[declared.slot]
        then = Action(slot.then)
        if self.evidence.given(slot) or self.evidence.remembered(slot):
            why = f"{why}; {declared.slot} is known"
            return self.make(then, why, template=self.template_of(then), urgent=urgent)
        if self.evidence.asked(slot):
            why = f"{why}; {declared.slot} was asked for and not given"
            return self.make(
                then, why, template=self.template_of(then), urgent=urgent, missing=declared.slot
            )
        if self.evidence.question():
            return self.articles_first(f"{why}, but asked as a question", declared.slot)
        return self.make(
            Action.ASK_SLOT,
            f"{why}; {declared.slot} is missing",
            template=slot.ask,
            urgent=urgent,
            missing=declared.slot,
        )

    def articles_first(self, why: str, slot: str | None) -> Route:
        """If they hold nothing, the slot is asked for."""
        return self.make(
            Action.ANSWER,
            f"{why}: the help articles are asked first",
            template=self.file.slots[slot].ask if slot else None,
            missing=slot,
        )

    def template_of(self, action: Action) -> str | None:
        """What is said beside an action that has no text of its own."""
        return self.file.handover.template if action is Action.HANDOVER else None

    def handover(self, why: str, *, template: str | None = None, urgent: bool = False) -> Route:
        """To a person; a threat or a safety matter stays urgent, whichever rule came first."""
        urgent = urgent or self.turn.screening.tone is Tone.THREATENING
        urgent = urgent or (self.first.urgent and self.prediction.confidence >= self.act)
        return self.make(
            Action.HANDOVER,
            why,
            template=template or self.file.handover.template,
            urgent=urgent,
        )

    def make(
        self,
        action: Action,
        why: str,
        *,
        template: str | None = None,
        urgent: bool = False,
        missing: str | None = None,
    ) -> Route:
        return Route(
            intent=self.prediction.intent,
            confidence=self.prediction.confidence,
            out_of_scope=self.prediction.out_of_scope,
            out_of_scope_score=self.prediction.out_of_scope_score,
            action=action,
            why=why,
            template=template,
            missing_slot=missing,
            urgent=urgent,
            alternatives=self.prediction.intents[1:3],
        )
