"""``python -m chatbot moderate --policy OTHER.toml``: what would change if the policy did."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatbot.safety.moderation import Moderator
from chatbot.safety.policy_rules import PolicyRules, read_rules
from chatbot.safety.rules import policy_reasons
from chatbot.safety.verdicts import verdict_of
from chatbot.types import Reason, Side, Verdict

if TYPE_CHECKING:
    from chatbot.settings import Settings


@dataclass(frozen=True, slots=True)
class Change:
    """A text whose verdict differs. ``line`` counts from 1."""

    line: int
    text: str
    before: Verdict
    after: Verdict
    reasons_before: tuple[Reason, ...]
    reasons_after: tuple[Reason, ...]

    def document(self) -> dict[str, Any]:
        return {
            "line": self.line,
            "text": self.text,
            "before": self.before.value,
            "after": self.after.value,
            "reasons_before": [reason.detail for reason in self.reasons_before],
            "reasons_after": [reason.detail for reason in self.reasons_after],
        }

    def __str__(self) -> str:
        shown = self.reasons_after or self.reasons_before
        why = "".join(f"\n  because {reason.detail}" for reason in shown)
        gone = "no longer " if not self.reasons_after else ""
        arrow = f"{self.before.value} -> {self.after.value}"
        return f"line {self.line}: {arrow}  {self.text!r}{why.replace('because', gone + 'because')}"


def lines_of(text: str) -> Iterable[str] | None:
    """Standard input for '-', a file's lines for its path; None for a text that is neither."""
    if text == "-":
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
        return sys.stdin
    try:
        if Path(text).is_file():
            return Path(text).read_text("utf-8", errors="replace").splitlines()
    except (OSError, ValueError):  # too long for a path, or with a null character: a text
        return None
    return None


def changes(
    moderator: Moderator,
    policies: tuple[PolicyRules, PolicyRules],
    texts: Iterable[str],
    side: Side,
    company_domains: Sequence[str] = (),
) -> Iterator[Change]:
    """Rows whose verdict the second policy changes, by toxicity and by the policy's own rules.

    Each text is scored once. Raises ScoreUnreadable when the scorer fails.
    """
    for line, text in enumerate(texts, 1):
        moderations = moderator.moderate_under(
            text, side, [policy.calibrated(moderator.calibration) for policy in policies]
        )
        before, after = (
            (*moderation.reasons, *policy_reasons(text, policy, side, company_domains))
            for moderation, policy in zip(moderations, policies, strict=True)
        )
        if verdict_of(before) is not verdict_of(after):
            yield Change(line, text, verdict_of(before), verdict_of(after), before, after)


def compare_command(
    settings: Settings,
    other: Path,
    text: str,
    *,
    side: Side,
    as_json: bool,
    write: Callable[[str], object],
    lines: Iterable[str] | None = None,
) -> None:
    """Writes the rows whose verdict ``other`` changes, then how many of how many. Each of
    ``lines`` is a text, if there are any. Raises SetupError for a policy that cannot be read."""
    from chatbot.company import load_company
    from chatbot.safety.moderation import line_text, load_moderator

    company = load_company(settings.company)
    policies = (read_rules(settings.company / "policy.toml"), read_rules(other))
    texts = [text]
    if lines is not None:
        texts = [line_text(line, n, as_json) for n, line in enumerate(lines, 1) if line.strip()]
    moderator = load_moderator(settings)
    changed = 0
    for change in changes(moderator, policies, texts, side, company.allowed_domains):
        changed += 1
        write(json.dumps(change.document()) if as_json else str(change))
    if not as_json:
        write(f"{changed} of {len(texts)} texts would be judged differently")
