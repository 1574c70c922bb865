"""Anger is a tone and never a reason; a threat is a reason unless the policy releases it."""

from __future__ import annotations

from chatbot.safety.tone import threat_reason, tone_of
from chatbot.types import ReasonCode, Tone


def sure(tone: Tone, probability: float = 0.9) -> dict[Tone, float]:
    rest = (1 - probability) / 4
    return {t: probability if t is tone else rest for t in Tone}


def test_the_toxicity_model_overrules_the_head_where_it_is_surer() -> None:
    assert tone_of(sure(Tone.CALM), abuse=0, threat=1.2) is Tone.THREATENING
    assert tone_of(sure(Tone.ANGRY), abuse=1.0, threat=0) is Tone.ABUSIVE
    assert tone_of(sure(Tone.CALM), abuse=1.0, threat=0) is Tone.CALM
    assert tone_of(sure(Tone.CALM), abuse=1.6, threat=0) is Tone.ABUSIVE
    assert tone_of(sure(Tone.FRUSTRATED), abuse=0, threat=0) is Tone.FRUSTRATED


def test_anger_and_insults_are_no_threat() -> None:
    for tone in (Tone.CALM, Tone.FRUSTRATED, Tone.ANGRY, Tone.ABUSIVE):
        assert threat_reason(tone, sure(tone), 0.5, score=0.1, limit=0.5) is None


def test_a_threat_carries_its_score_and_threshold() -> None:
    reason = threat_reason(Tone.THREATENING, sure(Tone.THREATENING), 0.5, score=0.1, limit=0.5)
    assert reason is not None
    assert (reason.code, reason.score, reason.threshold) == (ReasonCode.THREAT, 0.9, 0.5)
    flagged = threat_reason(Tone.THREATENING, sure(Tone.CALM), 0.5, score=0.8, limit=0.5)
    assert flagged is not None
    assert flagged.rule == "toxicity.customer.threat"


def test_a_policy_that_releases_threats_gives_no_reason() -> None:
    sure_threat = sure(Tone.THREATENING)
    assert threat_reason(Tone.THREATENING, sure_threat, 0.5, score=0.9, limit=None) is None
