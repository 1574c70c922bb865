"""From scores to a verdict with its reasons: the safety categories, nothing else.

``python -m chatbot moderate`` and ``POST /v1/moderations`` use this; the gate combines it with
grounding, rules and PII.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chatbot.errors import BadInput
from chatbot.safety.calibration import Calibration
from chatbot.safety.toxicity import MAX_CHARS, ScoreUnreadable, ToxicityScorer
from chatbot.safety.toxicity_choice import load_scorer
from chatbot.safety.verdicts import verdict_of
from chatbot.types import Reason, ReasonCode, Side, Verdict

if TYPE_CHECKING:
    from chatbot.safety.policy_rules import PolicyRules
    from chatbot.settings import Settings

LINES_AT_ONCE = 64  # a page of lines per forward pass keeps memory flat and output prompt


@dataclass(frozen=True, slots=True)
class Moderation:
    """``flagged`` is true exactly when ``verdict`` is hold or replace; then there is a reason."""

    flagged: bool
    verdict: Verdict
    scores: Mapping[str, float]
    reasons: tuple[Reason, ...]

    def document(self) -> dict[str, Any]:
        """The JSON line of ``python -m chatbot moderate --json``."""
        return {
            "flagged": self.flagged,
            "verdict": self.verdict.value,
            "scores": {name: round(value, 6) for name, value in self.scores.items()},
            "reasons": [
                {
                    "code": reason.code.value,
                    "detail": reason.detail,
                    "rule": reason.rule,
                    "score": None if reason.score is None else round(reason.score, 6),
                    "threshold": reason.threshold,
                }
                for reason in self.reasons
            ],
        }


class Moderator:
    """Scores texts and compares them with the thresholds of a side."""

    def __init__(self, scorer: ToxicityScorer, calibration: Calibration) -> None:
        self.scorer = scorer
        self.calibration = calibration

    def moderate(self, text: str, side: Side) -> Moderation:
        """Raises ScoreUnreadable when the scorer fails: the caller must then hold."""
        return self.moderate_many([text], side)[0]

    def moderate_many(self, texts: Sequence[str], side: Side) -> list[Moderation]:
        """One result per text, in order; a text beyond MAX_CHARS is held, unscored."""
        short = [text for text in texts if len(text) <= MAX_CHARS]
        scores = self.scorer.score(short)
        if len(scores) != len(short):
            raise ScoreUnreadable(
                f"{self.scorer.name} gave {len(scores)} scores for {len(short)} texts"
            )
        scored = iter(scores)
        return [
            self.judge(next(scored), side) if len(text) <= MAX_CHARS else _too_long(text)
            for text in texts
        ]

    def moderate_under(
        self, text: str, side: Side, calibrations: Sequence[Calibration]
    ) -> list[Moderation]:
        """One result per calibration, from one scoring of the text."""
        if len(text) > MAX_CHARS:
            return [_too_long(text) for _ in calibrations]
        scores = self.scorer.score([text])[0]
        return [Moderator(self.scorer, c).judge(scores, side) for c in calibrations]

    def judge(self, scores: Mapping[str, float], side: Side) -> Moderation:
        """The verdict on scores already computed. Raises ScoreUnreadable for a score that is
        missing or no number: compared with a threshold it would pass."""
        for category in self.calibration.thresholds[side]:
            score = scores.get(category)
            if not isinstance(score, float | int) or not 0.0 <= score <= 1.0:
                raise ScoreUnreadable(
                    f"{self.scorer.name} gave {score!r} as score of {category}; 0..1 is needed"
                )
        reasons = []
        for category, score in scores.items():
            threshold = self.calibration.threshold(side, category)
            if threshold is not None and score >= threshold:
                code = ReasonCode.THREAT if category == "threat" else ReasonCode.TOXIC
                if category in self.calibration.replaced.get(side, ()):
                    code = ReasonCode.TOXIC_REPLACED
                reasons.append(
                    Reason(
                        code=code,
                        detail=f"{category} {score:.2f} reaches the {side.value} side's threshold "
                        f"{threshold:.2f}",
                        rule=f"toxicity.{side.value}.{category}",
                        score=score,
                        threshold=threshold,
                    )
                )
        reasons.sort(key=lambda reason: -(reason.score or 0) / (reason.threshold or 1))
        return Moderation(bool(reasons), verdict_of(reasons), dict(scores), tuple(reasons))


def load_moderator(settings: Settings, rules: PolicyRules | None = None) -> Moderator:
    """The moderator that the settings ask for, with a policy's thresholds where ``rules`` are
    given. Raises SetupError naming what is wrong."""
    calibration = Calibration.load()
    if rules is not None:
        calibration = rules.calibrated(calibration)
    return Moderator(load_scorer(settings), calibration)


def moderate_command(
    moderator: Moderator,
    text: str,
    *,
    side: Side = Side.CUSTOMER,
    as_json: bool = False,
    lines: Iterable[str] | None = None,
    write: Callable[[str], object] = sys.stdout.write,
) -> None:
    """``python -m chatbot moderate [TEXT|-]``: one result for TEXT, or one per line for '-'.

    A line is ``{"text": ...}`` or, without ``as_json``, plain text as well. Raises BadInput
    naming the line that is neither.
    """
    if text != "-":
        write(_shown(moderator.moderate(text, side), as_json))
        return
    page: list[str] = []
    for number, line in enumerate(sys.stdin if lines is None else lines, 1):
        if line.strip():
            page.append(line_text(line, number, as_json))
        if len(page) == LINES_AT_ONCE:
            _write_page(moderator, page, side, as_json, write)
            page.clear()
    if page:
        _write_page(moderator, page, side, as_json, write)


def _write_page(
    moderator: Moderator,
    page: Sequence[str],
    side: Side,
    as_json: bool,
    write: Callable[[str], object],
) -> None:
    for moderation in moderator.moderate_many(page, side):
        write(_shown(moderation, as_json))


def line_text(line: str, number: int, as_json: bool) -> str:
    """The text of an input line; raises BadInput naming one that is no JSON object with it."""
    try:
        row = json.loads(line)
    except ValueError as error:
        if not as_json:
            return line.rstrip("\n")
        raise BadInput(f'line {number} is no JSON object with "text": {error}') from None
    if isinstance(row, dict) and isinstance(row.get("text"), str):
        return str(row["text"])
    if as_json:
        raise BadInput(f'line {number} has no "text" of type string: {line[:80]!r}')
    return line.rstrip("\n")


def _shown(moderation: Moderation, as_json: bool) -> str:
    if as_json:
        return json.dumps(moderation.document(), ensure_ascii=True) + "\n"
    scores = ", ".join(f"{name} {value:.3f}" for name, value in moderation.scores.items())
    why = "".join(f"\n  because {reason.detail}" for reason in moderation.reasons)
    return f"{moderation.verdict.value}  ({scores or 'not scored'}){why}\n"


def _too_long(text: str) -> Moderation:
    reason = Reason(
        code=ReasonCode.TOO_LONG,
        detail=f"{len(text)} characters; more than {MAX_CHARS} are not scored",
        rule="toxicity.too_long",
        score=float(len(text)),
        threshold=float(MAX_CHARS),
    )
    return Moderation(True, Verdict.HOLD, {}, (reason,))
