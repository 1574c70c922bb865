"""What is known of a customer's text before anything is done with it, in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from chatbot.safety.calibration import Calibration
from chatbot.safety.classifiers import Heads
from chatbot.safety.crisis import concern_reason, crisis_alarm, crisis_reason
from chatbot.safety.entities import resolve
from chatbot.safety.injection import injection_marker, injection_reason
from chatbot.safety.moderation import Moderator
from chatbot.safety.pii import MAX_READ, find_entities, load_recognisers, merge_entities, redact
from chatbot.safety.pii_tagger import Tagger
from chatbot.safety.policy import Policy
from chatbot.safety.rules import crisis_rule_reason
from chatbot.safety.tone import threat_reason, tone_of
from chatbot.safety.toxicity import ToxicityScorer
from chatbot.safety.views import scoring_views
from chatbot.types import Language, Prediction, Reason, ReasonCode, Screening, Side, Tone
from knowledge_base.encoder import TextEncoder

_ABUSE: Final = ("toxicity", "insult", "severe_toxicity", "identity_attack")
MARKED: Final = 0.99  # injection score of a text with a marker: surer than the head can be


class Screen:
    """Reads a customer's message. Synchronous and thread-safe; callers use a worker thread.

    Loads presidio when it is built, so that the first turn does not wait for it. Without a
    ``tagger`` personal data is found by patterns alone.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        scorer: ToxicityScorer,
        moderator: Moderator | Calibration,
        policy: Policy,
        detect_language: Callable[[str], Language],
        heads: Heads | None = None,
        tagger: Tagger | None = None,
    ) -> None:
        self.encoder = encoder
        self.scorer = scorer
        self.calibration = moderator.calibration if isinstance(moderator, Moderator) else moderator
        self.policy = policy
        self.detect_language = detect_language
        self.heads = heads or Heads.load(encoder=encoder)
        self.tagger = tagger
        load_recognisers()

    def hide(self, text: str, known: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The text with personal data as placeholders, and those that stand in it with their
        values. ``known`` are the conversation's so far. Cut after MAX_READ characters."""
        found = find_entities(text, self.policy.rules.order_ids, self.tagger)
        return redact(text, found, known)

    def screen(self, text: str, prediction: Prediction, known: Mapping[str, str]) -> Screening:
        """Everything from entities to reasons. ``known`` are the conversation's placeholders.

        Of a text longer than MAX_READ the start is read, the rest is cut from ``redacted``,
        and the reason TOO_LONG says so. Raises ScoreUnreadable when the scorer fails.
        """
        start = text[:MAX_READ]
        policy = self.policy.rules
        guessed = [e for e in prediction.entities if e.end <= MAX_READ]
        company = [e for e in guessed if e.source == "company"]
        entities = merge_entities(
            resolve([*find_entities(text, policy.order_ids, self.tagger), *company]),
            [e for e in guessed if e.source != "company"],
        )
        redacted, placeholders = redact(text, entities, known)
        views = scoring_views(start)
        heads = self.heads.score(views, self.encoder)
        moderated = Moderator(self.scorer, policy.calibrated(self.calibration))
        moderation = moderated.moderate(start, Side.CUSTOMER)  # raises for an unreadable score
        scores = moderation.scores

        limit = moderated.calibration.threshold(Side.CUSTOMER, "threat")
        if "threat" in moderated.calibration.replaced.get(Side.CUSTOMER, ()):
            limit = None  # the policy answers a threat with the refusal text
        calibrated = self.calibration.thresholds[Side.CUSTOMER]
        marker = injection_marker(views)
        injection = max(heads.injection, MARKED) if marker else heads.injection
        crisis = crisis_rule_reason(views, policy.crisis) or crisis_reason(
            heads.crisis, self.heads.thresholds["crisis"], crisis_alarm(views)
        )
        threat = scores.get("threat", 0.0)
        tone = tone_of(
            heads.tone,
            abuse=max(scores.get(name, 0.0) / calibrated.get(name, 1.0) for name in _ABUSE),
            threat=threat / calibrated.get("threat", 1.0),
            least=self.heads.thresholds["harsh"],
        )
        if not any(c.isalpha() for c in start):
            tone = Tone.CALM  # the head was trained on words; a lone number or sign has no tone
        concern = concern_reason(heads.crisis, self.heads.thresholds["concern"])
        reasons = (
            crisis or concern,
            injection_reason(injection, self.heads.thresholds["injection"], marker),
            threat_reason(
                tone,
                heads.tone,
                self.heads.thresholds["threatening"],
                score=threat,
                limit=limit,
            ),
            # A threat is told above, where the head has its word as well.
            *(r for r in moderation.reasons if r.code is not ReasonCode.THREAT),
            _too_long(text),
        )
        return Screening(
            text=text,
            redacted=redacted,
            entities=entities,
            placeholders=placeholders,
            tone=tone,
            scores=scores,
            injection=injection,
            crisis=crisis is not None,
            language=self.detect_language(start),
            reasons=tuple(reason for reason in reasons if reason is not None),
        )


def _too_long(text: str) -> Reason | None:
    if len(text) <= MAX_READ:
        return None
    return Reason(
        ReasonCode.TOO_LONG,
        f"The message has {len(text)} characters; the first {MAX_READ} were read.",
        rule="screen.too_long",
        score=float(len(text)),
        threshold=float(MAX_READ),
    )
