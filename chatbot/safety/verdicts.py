"""The verdict table: what each reason means for a text that is about to leave.

Read top to bottom; the most severe verdict among a text's reasons wins. A reason that is not
in the table holds (fail closed, invariant 2).
"""

from __future__ import annotations

from collections.abc import Iterable

from chatbot.types import Reason, ReasonCode, Verdict

TABLE: dict[ReasonCode, Verdict] = {
    # A life comes before everything: fixed crisis text, urgent handover.
    ReasonCode.CRISIS: Verdict.CRISIS,
    # Perhaps danger, not surely enough for the crisis text: a person looks.
    ReasonCode.CONCERN: Verdict.HOLD,
    # A person must see these before a customer does.
    ReasonCode.TOXIC: Verdict.HOLD,
    ReasonCode.THREAT: Verdict.HOLD,
    ReasonCode.FORBIDDEN_PROMISE: Verdict.HOLD,
    ReasonCode.PII_LEAK: Verdict.HOLD,
    ReasonCode.PROMPT_LEAK: Verdict.HOLD,
    ReasonCode.LINK_NOT_ALLOWED: Verdict.HOLD,
    ReasonCode.TOO_LONG: Verdict.HOLD,
    ReasonCode.INJECTION: Verdict.HOLD,
    # Decided before the first sentence, so that nothing streams.
    ReasonCode.ALWAYS_REVIEW: Verdict.HOLD,
    ReasonCode.SAMPLED: Verdict.HOLD,
    ReasonCode.LOW_CONFIDENCE: Verdict.HOLD,
    # Fail closed: a check that crashed, stalled or is missing never releases.
    ReasonCode.CHECK_FAILED: Verdict.HOLD,
    ReasonCode.ENGINE_FAILED: Verdict.HOLD,
    # policy.toml says of the category that another text takes its place.
    ReasonCode.TOXIC_REPLACED: Verdict.REPLACE,
    # Nothing dangerous, only unproven or no answer: drop the sentence, else quote the passage,
    # else abstain.
    ReasonCode.UNSUPPORTED_CLAIM: Verdict.REPLACE,
    ReasonCode.BESIDE_THE_POINT: Verdict.REPLACE,
    ReasonCode.NOTHING_RETRIEVED: Verdict.ABSTAIN,
}

SEVERITY: tuple[Verdict, ...] = (
    Verdict.CRISIS,
    Verdict.HOLD,
    Verdict.ABSTAIN,
    Verdict.REPLACE,
    Verdict.RELEASE,
)


def verdict_of(reasons: Iterable[Reason]) -> Verdict:
    """The most severe verdict of all reasons; RELEASE only where there is none."""
    verdicts = {TABLE.get(reason.code, Verdict.HOLD) for reason in reasons}
    return next((verdict for verdict in SEVERITY if verdict in verdicts), Verdict.RELEASE)
