"""A sentence of an answer, read once, to be compared with several passages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from chatbot.safety.facts import Fact, find_facts
from chatbot.safety.grounding_units import Scope, scopes_of
from chatbot.safety.grounding_words import content_stems, tidy

# A list mark, then the 'yes' or 'no' that answers the question and not the passage.
_OPENING = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.)])?\s*(?:(?:yes|no|sorry),\s+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Claim:
    """``stems`` are those of its content words, each once, in order."""

    text: str
    stems: tuple[str, ...]
    scopes: tuple[Scope, ...]
    facts: tuple[Fact, ...]

    @classmethod
    def of(cls, sentence: str) -> Claim:
        """List marks and an opening 'Yes,' or 'No,' are left out."""
        plain = _OPENING.sub("", sentence.strip())
        return cls(
            plain,
            tuple(dict.fromkeys(content_stems(tidy(plain)))),
            scopes_of(plain),
            find_facts(plain),
        )


def share(stems: Iterable[str], among: Iterable[str]) -> float:
    """Share of ``stems`` that are ``among`` others; 1 for none."""
    wanted, known = set(stems), set(among)
    return len(wanted & known) / len(wanted) if wanted else 1.0
