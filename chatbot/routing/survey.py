"""Where a file of questions would go: how many an article could answer are asked for a number.

The file is that of ``finetune evaluate answers``: JSONL with ``question``, and optionally
``history`` and ``expect``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chatbot.errors import BadInput
from chatbot.routing.cases import Case, load_judge
from chatbot.settings import Settings
from chatbot.types import Action

# What a case must name is not looked at here.
UNSTATED: Final = Action.ANSWER
FINE: Final = frozenset(
    {
        ("answer", "answer"),
        ("abstain", "answer"),
        ("abstain", "refuse"),
        ("clarify", "answer"),  # the articles that are found say whether to ask back
        ("clarify", "clarify"),
        ("handover", "handover"),
        ("handover", "always_review"),
        ("refuse", "refuse"),
    }
)


def survey(settings: Settings, file: Path, say: Callable[[str], None]) -> Counter[tuple[str, str]]:
    """Counts of (expected, action), and says each question whose route is not a fine one.

    Raises BadInput for a file that cannot be read, SetupError for a company that cannot.
    """
    asked = _read(file)
    judged = load_judge(settings).judge((line, case) for line, case, _ in asked)
    counts: Counter[tuple[str, str]] = Counter()
    for (line, case, expected), found in zip(asked, judged, strict=True):
        action = found.route.action.value
        counts[expected, action] += 1
        if expected and (expected, action) not in FINE:
            say(f"{file}:{line}: {expected}, but {action}: {case.say!r}")
            say(f"    because {found.route.why}")
    return counts


def _read(file: Path) -> list[tuple[int, Case, str]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: {error}; needed is JSONL with a question a line") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            before = tuple(f"{m['role']}: {m['text']}" for m in row.get("history", ()))
            case = Case(say=row["question"], action=UNSTATED, before=before)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"{file}:{number}: needs a question ({error})") from None
        found.append((number, case, str(row.get("expect", ""))))
    return found
