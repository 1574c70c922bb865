"""One message, one route. The order of ``Decision.route`` is the order of the rules; the
first one that applies wins."""

from __future__ import annotations

from dataclasses import replace

from chatbot.routing.artifact import Bands
from chatbot.routing.evidence import Evidence, Turn
from chatbot.routing.outcome import Outcome
from chatbot.routing.policy_file import DeclaredRoute, Routes
from chatbot.types import Action, ReasonCode, Route

SLOT_REPLY_WORDS = 4  # "it's LM-1234567, sorry": a reply to our question, not a new one
CAUTION = 0.25  # a second intent this likely that must be reviewed makes the message reviewed
RIVAL = 1 / 3  # a second intent less than a third as likely as the first is not worth a question
HUMAN_REQUEST = "human_request"
AFFIRM_DENY = "affirm_deny"
HUMAN_REQUEST_FROM = 0.4  # a person who may be asking for a person gets one


class Decision:
    """The rules, applied to one turn under the routes in force."""

    def __init__(self, routes: Routes, bands: Bands, turn: Turn) -> None:
        self.routes, self.file, self.turn = routes, routes.file, turn
        declared = routes.file.confidence
        self.act = bands.act if declared.act == "model" else declared.act
        self.clarify = bands.clarify if declared.clarify == "model" else declared.clarify
        self.prediction = turn.prediction
        self.first = routes.route(turn.prediction.intent)
        self.evidence = Evidence(routes.file, turn)
        self.outcome = Outcome(routes, turn, self.evidence, self.act)

    def route(self) -> Route:
        route = self._by_rule()
        if self.turn.closed is None or route.action is not Action.HANDOVER:
            return route
        usual = route.template == self.file.handover.template
        template = self.file.handover.closed_template if usual else None
        return replace(
            route, why=f"{route.why}; {self.turn.closed}", template=template or route.template
        )

    def _by_rule(self) -> Route:
        for rule in (
            self._crisis,
            self._language,
            self._asked_for_a_person,
            self._objected,
            self._tone,
            self._failed_before,
            self._slot_reply,
            self._out_of_scope,
            self._own_case,
        ):
            found = rule()
            if found is not None:
                return found
        confidence = self.prediction.confidence
        if confidence >= self.act:
            why = f"{self.first.intent} with confidence {confidence:.2f}"
            return self.outcome.declared(self.first, why)
        return self._unsure()

    def _crisis(self) -> Route | None:
        if not self.turn.screening.crisis:
            return None
        return self.outcome.make(Action.CRISIS, "the customer may be in danger", urgent=True)

    def _language(self) -> Route | None:
        code = self.turn.screening.language.code
        if code is None or code == self.turn.company_language.split("-")[0].lower():
            return None
        return self.outcome.handover(
            f"written in {code!r}, the company answers in {self.turn.company_language!r}",
            template=self.file.language.template,
        )

    def _asked_for_a_person(self) -> Route | None:
        keyword = self.evidence.keyword()
        if keyword is not None:
            return self.outcome.handover(f"the message contains {keyword!r}")
        chance = dict(self.prediction.intents).get(HUMAN_REQUEST, 0.0)
        if chance >= HUMAN_REQUEST_FROM and self.prediction.intent == HUMAN_REQUEST:
            return self.outcome.handover(f"{HUMAN_REQUEST} with confidence {chance:.2f}")
        return None

    def _objected(self) -> Route | None:
        """What policy.toml makes of a toxicity category on the customer's side."""
        for reason in self.turn.screening.reasons:
            if reason.code in (ReasonCode.THREAT, ReasonCode.TOXIC):
                return self.outcome.handover(reason.detail, urgent=reason.code is ReasonCode.THREAT)
            if reason.code is ReasonCode.TOXIC_REPLACED:
                return self.outcome.make(Action.REFUSE, reason.detail)
        return None

    def _tone(self) -> Route | None:
        tone = self.turn.screening.tone
        if tone not in self.file.handover.tones:
            return None
        urgent = tone in self.file.handover.urgent_tones
        return self.outcome.handover(f"the customer sounds {tone.value}", urgent=urgent)

    def _failed_before(self) -> Route | None:
        count = self.evidence.failures()
        if count < self.file.handover.after_failures:
            return None
        return self.outcome.handover(f"the bot did not help {count} times in a row")

    def _slot_reply(self) -> Route | None:
        """A reply to our own question for a slot, whatever the router makes of a number.

        A clear message about something else is not one, and takes its own route.
        """
        for name, slot in self.file.slots.items():
            if not self.evidence.just_asked(slot):
                continue
            then = Action(slot.then)
            given = self.evidence.given(slot)
            if given and self.evidence.words_beside_values() <= SLOT_REPLY_WORDS:
                why = f"the {name} that was asked for"
                return self.outcome.make(then, why, template=self.outcome.template_of(then))
            unclear = self.prediction.confidence < self.act or self.prediction.out_of_scope
            if not given and (unclear or self.prediction.intent == AFFIRM_DENY):
                return self.outcome.make(
                    then,
                    f"{name} was asked for and not given",
                    template=self.outcome.template_of(then),
                    missing=name,
                )
        return None

    def _own_case(self) -> Route | None:
        """An order number beside something that is else answered from articles: unless it is
        asked as a question, a person looks at that order."""
        if self.prediction.confidence < self.clarify or self.evidence.question():
            return None
        for name, slot in self.file.slots.items():
            if self.first.intent in slot.own_case and self.evidence.given(slot):
                then = Action(slot.then)
                why = f"{self.first.intent} about an {name} that was given"
                return self.outcome.make(then, why, template=self.outcome.template_of(then))
        return None

    def _out_of_scope(self) -> Route | None:
        scope, score = self.file.out_of_scope, self.prediction.out_of_scope_score
        if not self.prediction.out_of_scope:
            return None
        # A follow-up ("and with a pin?") says little of its own subject.
        if score >= scope.refuse_from and not self.evidence.follows_up():
            why = f"out of scope, score {score:.2f}"
            return self.outcome.make(Action.REFUSE, why, template=scope.template)
        if self.prediction.confidence >= self.clarify:  # what is out of scope has no likely intent
            return None
        return self.outcome.make(
            Action.ANSWER, f"perhaps out of scope ({score:.2f}): the help articles are asked first"
        )

    def _unsure(self) -> Route:
        """Below ``act``: review what may need it, answer what may be answered, else ask."""
        top = [(self.routes.route(name), p) for name, p in self.prediction.intents[:2]]
        confidence = self.prediction.confidence
        for declared, chance in top:
            if declared.action is Action.ALWAYS_REVIEW and chance >= CAUTION:
                return self.outcome.declared(declared, f"may be {declared.intent} ({chance:.2f})")
        if all(declared.action is Action.ANSWER for declared, _ in top):
            return self.outcome.make(
                Action.ANSWER,
                f"unsure ({confidence:.2f}), but the likely intents are all answered from articles",
            )
        same = {(d.action, d.template, d.slot) for d, _ in top}
        if len(same) == 1 and confidence >= self.clarify:
            shared = self.outcome.declared(
                self.first, "unsure, but the likely intents share this route"
            )
            return replace(shared, sure=False)
        rival = top[1][1] if len(top) > 1 else 0.0
        if confidence >= self.clarify and rival < RIVAL * confidence:
            alone = self.outcome.declared(
                self.first, f"{self.first.intent} with confidence {confidence:.2f}, without a rival"
            )
            return replace(alone, sure=False)
        if self._articles_may_hold(top):
            why = f"unsure ({confidence:.2f}), but asked as a question"
            return self.outcome.articles_first(
                why, self.first.slot if confidence >= self.clarify else None
            )
        if confidence >= self.clarify:
            names = " or ".join(d.label for d, _ in top)
            return self.outcome.make(Action.CLARIFY, f"unsure ({confidence:.2f}) between {names}")
        if self.first.action is Action.ANSWER:
            return self.outcome.make(
                Action.ANSWER, f"unsure ({confidence:.2f}): the help articles are asked first"
            )
        why = f"too unsure to act or to ask ({confidence:.2f})"
        if self.file.confidence.below == "answer":
            return self.outcome.make(Action.ANSWER, f"{why}: the help articles are asked first")
        return self.outcome.handover(why)

    def _articles_may_hold(self, top: list[tuple[DeclaredRoute, float]]) -> bool:
        """A question back is not worth it where the articles can be asked at once."""
        others = {declared.action for declared, _ in top[1:]}
        grave = any(declared.urgent and chance >= CAUTION for declared, chance in top)
        if grave or not self.evidence.telling():
            return False
        if self.first.action is Action.ANSWER and Action.HANDOVER not in others:
            return True
        return Action.ANSWER in {self.first.action, *others} and self.evidence.question()
