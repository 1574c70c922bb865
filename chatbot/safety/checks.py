"""Checks of the gate: toxicity, leaks, rules. Grounding has a file of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from chatbot.safety.gate import Candidate, CheckResult
from chatbot.safety.injection import prompt_leak_reasons
from chatbot.safety.leaks import leak_reasons
from chatbot.safety.moderation import Moderator
from chatbot.safety.pii import load_recognisers
from chatbot.safety.policy import Policy
from chatbot.safety.rules import length_reasons, link_reasons, promise_reasons
from chatbot.types import Entity, Reason, Side

_NUMBER_ENDS: Final = re.compile(r"\d\s?\Z")
_CUT_CHARS: Final = 40  # no number that a recogniser knows is longer


class ToxicityCheck:
    """The sentence alone, with what precedes it, and the whole so far, in one batch."""

    name: Final = "toxicity"

    def __init__(self, moderator: Moderator, policy: Policy | None = None) -> None:
        self.moderator = moderator
        self.policy = policy

    def run(self, candidate: Candidate) -> CheckResult:
        moderator = self.moderator
        if self.policy is not None:
            moderator = Moderator(moderator.scorer, self.policy.calibrated(moderator.calibration))
        texts = list(dict.fromkeys((candidate.text, candidate.in_context, candidate.whole)))
        worst: dict[str, float] = {}
        reasons: dict[str | None, Reason] = {}
        for moderation in moderator.moderate_many(texts, Side.BOT):
            for category, score in moderation.scores.items():
                worst[category] = max(worst.get(category, 0.0), score)
            for reason in moderation.reasons:
                known = reasons.get(reason.rule)
                if known is None or (reason.score or 0) > (known.score or 0):
                    reasons[reason.rule] = reason
        return CheckResult(tuple(reasons.values()), worst)


class LeakCheck:
    """Other people's data, and the bot's own instructions."""

    name: Final = "leaks"

    def __init__(
        self,
        instructions: str,
        policy: Policy | None = None,
        public_texts: Sequence[str] = (),
        canary: str = "",
        companys: Callable[[str], Sequence[Entity]] | None = None,
    ) -> None:
        self.instructions = instructions
        self.policy = policy
        self.public_texts = tuple(public_texts)
        self.canary = canary
        self.companys = companys
        load_recognisers()

    def run(self, candidate: Candidate) -> CheckResult:
        reasons = self._personal(candidate.text, candidate)
        if not reasons and _NUMBER_ENDS.search(candidate.before) and candidate.text[:1].isdigit():
            # A number that was cut in two, by a line break: the beginning has left already.
            cut = f"{candidate.before[-_CUT_CHARS:]} {candidate.text[:_CUT_CHARS]}"
            reasons = self._personal(cut, candidate)
        if not candidate.by_person:
            # With what precedes it: a quotation of the prompt may be cut into short sentences.
            reasons += prompt_leak_reasons(candidate.in_context, self.instructions, self.canary)
        return CheckResult(reasons)

    def _personal(self, text: str, candidate: Candidate) -> tuple[Reason, ...]:
        return leak_reasons(
            text,
            candidate.own_values,
            candidate.passages,
            order_ids=self.policy.order_ids if self.policy else (),
            public_texts=self.public_texts,
            companys=self.companys,
        )


class RulesCheck:
    """Promises, links and length. A person may promise what the bot may not."""

    name: Final = "rules"

    def __init__(self, policy: Policy, allowed_domains: Sequence[str]) -> None:
        self.policy = policy
        self.company_domains = tuple(domain.lower() for domain in allowed_domains)

    def run(self, candidate: Candidate) -> CheckResult:
        reasons = (
            *length_reasons(candidate.whole, self.policy),
            *link_reasons(candidate.text, self.policy.domains(self.company_domains)),
        )
        if not candidate.by_person:
            reasons += promise_reasons(candidate.text, self.policy, candidate.intent) or (
                promise_reasons(candidate.in_context, self.policy, candidate.intent)
            )
        return CheckResult(tuple(reasons))
