"""Attempts to take over the bot: markers that need no model, and texts that a passage hides.

Rules read every scoring view, what a text decodes to, and its reverse. They name a rule and
the words; the head (``classifiers``) judges everything that has no such marker. Anger, threats
to leave and demands for a refund are none of this.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chatbot.safety.canary import holds_canary
from chatbot.safety.encoded import decoded
from chatbot.safety.views import clean, scoring_views
from chatbot.types import Reason, ReasonCode

_FLAGS: Final = re.I | re.M
_OBJECT: Final = (
    r"(?:instructions?|prompts?|guidelines?|guardrails?|restrictions?|programming|directives?|"
    r"constraints?|safety (?:rules|filters?|settings|stuff)|system (?:message|prompt)|training|"
    r"content (?:policy|filters?))"
)
_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern, _FLAGS))
    for name, pattern in (
        (
            "chat_tag",
            r"<\|[a-z_]{2,24}\|>|\[/?(?:inst|system|sys|assistant)\]|<</?sys>>"
            r"|</?(?:system|assistant|tool_result|function_call|instructions?)(?:\s[^<>]{0,80})?>"
            r"|[\"']role[\"']\s?:\s?[\"'](?:system|assistant|developer)[\"']"
            r"|\{\{\s?system\b",
        ),
        (
            "fake_turn",
            r"^\s{0,4}#{2,4}\s?(?:system|instructions?|new instructions?|response|assistant|human)\b"
            r"|\n\s{0,4}(?:assistant|system|developer|ai)\s?:\s"
            r"|\A\s{0,4}(?:system|developer)\s?:\s"
            r"|\bsystem (?:override|message|notice)\b\s?[:*]",
        ),
        (
            "override",
            r"\b(?:ignore|disregard|forget|bypass|override|overrule|overwrite|revoke|drop|disable)\b"
            r"(?:(?!\bmy\b)[^.!?\n]){0,30}?\b(?:your|ur|the|all|any|these|those|previous|prior|earlier|"
            r"above|every|system)\b(?:(?!\bmy\b)[^.!?\n]){0,24}?\b" + _OBJECT + r"\b",
        ),
        (
            "override",
            r"\b(?:ignore|disregard|forget) (?:all (?:of )?)?(?:your|ur) (?:\w+ )?(?:rules?|polic(?:y|ies))\b"
            r"|\b(?:forget|ignore|disregard) (?:everything|all|anything)(?: that)? (?:you (?:were|have been|"
            r"know|are)|above|before|said above|i said before)\b"
            r"|\bfrom now on,? (?:you (?:are|will|must|have)|act|answer|respond|reply|ignore)\b"
            r"(?=.{0,60}\b(?:no|without|any|only|never|always|as)\b)",
        ),
        (
            "override_other_language",
            r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte)\b.{0,30}\b(?:anweisung\w*|regeln|vorgaben|"
            r"anleitung des systems|systemprompt)\b"
            r"|\b(?:ignore[rz]?|oublie[rz]?)\b.{0,30}\b(?:instructions|consignes|r[eè]gles)\b(?!.{0,20}livraison)"
            r"|\b(?:ignora|olvida|olvide|ignore)\b.{0,30}\b(?:instrucciones|reglas|indicaciones|istruzioni|"
            r"instru[cç][oõ]es|regole|regras)\b"
            r"|\b(?:negeer|vergeet)\b.{0,30}\b(?:instructies|regels|aanwijzingen)\b",
        ),
        (
            "prompt_leak",
            r"\b(?:reveal|show|print|repeat|output|display|paste|tell|give|share|expose|leak|dump|"
            r"translate|summari[sz]e|encode|spell|quote|recite|write|copy|what(?:'s| is| are| was| were))\b"
            r"[^.!?\n]{0,40}\b(?:(?:system|hidden|initial|secret|original|developer|internal|confidential) "
            r"(?:prompt|instructions?|directives?|guidelines)|system message you|your (?:system )?prompt|"
            r"the prompt (?:you|that you)|context window|your (?:hidden|secret|initial|internal) rules)\b",
        ),
        (
            "persona",
            r"\b(?:you are|you're|act as|act like|pretend|role-?play|behave as|become|simulate|speak as|"
            r"stay in character)\b[^.!?\n]{0,60}\b(?:jailbroken|unfiltered|uncensored|unrestricted|"
            r"without (?:any )?(?:rules|restrictions|filters|limits|morals|policy|policies)|"
            r"(?:no|hates|zero) (?:rules|restrictions|filters|limits|morals|safety)|no longer bound|"
            r"all restrictions lifted|free (?:of|from) (?:all |any |the )?(?:rules|restrictions|policy))\b"
            r"|\b(?:developer|debug|god|jailbreak|dan|unrestricted|sudo|root) mode\b[^.!?\n]{0,24}"
            r"\b(?:on|enabled?|activated?|unlocked|engaged?|now)\b|\bdo anything now\b",
        ),
        (
            "addressed_to_a_model",
            r"\b(?:ais?|llms?|language models?|ai assistants?|chatbots?|bots?|automated agents?|machine readers?)"
            r"\b[^.!?\n]{0,30}\b(?:read(?:ing|s)?|pars(?:ing|es)|summari[sz]ing|processing|only)\b[^\n]{0,60}"
            r"\b(?:must|should|shall|ignore|tell|say|forget|obey|reveal|offer|give|agrees?|released)\b"
            r"|\b(?:note|message|instructions?|comment) (?:to|for) (?:the )?(?:ai|llm|language model|bot|chatbot|"
            r"assistant|model)s?\b\s?[:,]",
        ),
    )
)
_ABOUT_A_MODEL: Final = re.compile(
    r"\b(?:ais?|llms?|gpt|assistants?|(?:chat)?bots?|(?:language )?models?|automated agents?|"
    r"(?:auto\w*|ai|machine) (?:readers?|summari[sz]ers?)|summari[sz]ers?|answering system|prompts?|"
    r"system (?:note|message|prompt|update)|instructions? (?:to|for|from)|ignore|disregard|overrid\w+|"
    r"obsolete|all others?|other (?:passages|articles)|earlier (?:passages|articles|instructions)|"
    r"the user|output|reply with|answers? with)\b",
    re.I,
)
SHINGLE: Final = 7  # words in a row that a draft shares with the instructions only by quoting them


@dataclass(frozen=True, slots=True)
class Marker:
    """A rule that fired, with the words that made it."""

    rule: str
    words: str


def injection_marker(views: Sequence[str]) -> Marker | None:
    """The first rule that fires on a view, what it decodes to, or its reverse.

    ``views[0]`` is the text as sent; it is read without its accents too, which views keep.
    """
    for view in dict.fromkeys((*views, *(clean(view) for view in views[:1]))):
        for rule, pattern in _RULES:
            match = pattern.search(view)
            if match:
                return Marker(f"injection.{rule}", match[0].strip()[:120])
    return _hidden(views[0]) if views else None


def injection_reason(score: float, threshold: float, marker: Marker | None) -> Reason | None:
    """None below the threshold when no rule fired."""
    if marker is not None:
        return Reason(
            ReasonCode.INJECTION,
            f"The message gives orders to the bot itself: {marker.words!r}.",
            rule=marker.rule,
            words=marker.words,
            score=score,
            threshold=threshold,
        )
    if score < threshold:
        return None
    return Reason(
        ReasonCode.INJECTION,
        f"The message reads like an attempt to steer the bot: {score:.2f} reaches {threshold:.2f}.",
        rule="injection.model",
        score=score,
        threshold=threshold,
    )


def about_a_model(text: str) -> bool:
    """Whether a text speaks to or of a language model, its orders or its sources. Honest articles
    give orders too ("Ask plainly", "Press both buttons"), but to people."""
    return _ABOUT_A_MODEL.search(text) is not None


def prompt_leak_reasons(text: str, instructions: str, canary: str = "") -> tuple[Reason, ...]:
    """PROMPT_LEAK when a draft quotes SHINGLE words in a row of the hidden instructions.

    ``canary`` is a random word of the prompt that no honest answer can contain.
    """
    if canary and holds_canary(text, canary):
        return (
            Reason(
                ReasonCode.PROMPT_LEAK,
                "The text holds the secret mark of the instructions.",
                rule="prompt_leak.canary",
            ),
        )
    secret = _words(instructions)
    if len(secret) < SHINGLE:
        return ()
    shingles = {tuple(secret[i : i + SHINGLE]) for i in range(len(secret) - SHINGLE + 1)}
    for reading in dict.fromkeys((*scoring_views(text), text[::-1])):
        words = _words(reading)
        for i in range(len(words) - SHINGLE + 1):
            if tuple(words[i : i + SHINGLE]) in shingles:
                quoted = " ".join(words[i : i + SHINGLE])
                return (
                    Reason(
                        ReasonCode.PROMPT_LEAK,
                        f"The text quotes the bot's instructions: {quoted!r}.",
                        rule="prompt_leak.quote",
                        words=quoted,
                    ),
                )
    return ()


def fence(passage_text: str) -> str:
    """The passage without markup that a model could take for a turn or a tag.

    What it says stays; only chat tags, role labels at a line's start and hidden comments go.
    """
    text = re.sub(r"<!--.{0,2000}?-->", " ", passage_text, flags=re.S)
    text = re.sub(r"<\|[A-Za-z_]{2,24}\|>", " ", text)
    text = re.sub(
        r"</?(?:system|user|assistant|instructions?|tool_result)\b[^<>]{0,80}>",
        " ",
        text,
        flags=re.I,
    )
    text = re.sub(r"\[/?(?:INST|SYSTEM|SYS|USER|ASSISTANT)\]|<</?SYS>>", " ", text, flags=re.I)
    return re.sub(
        r"^(\s{0,4}#{0,4}\s?)(system|user|assistant|human)\s?:", r"\1\2 -", text, flags=_FLAGS
    )


def _hidden(text: str) -> Marker | None:
    """Rules on what the text decodes to, read backwards and by thirteen."""
    for how, view in (
        *(("encoded", view) for view in decoded(text)),
        ("reversed", text[::-1]),
        ("rot13", codecs.encode(text, "rot13")),
    ):
        for rule, pattern in _RULES:
            match = pattern.search(view)
            if match and rule not in {"chat_tag", "fake_turn"}:
                return Marker(f"injection.{how}", match[0].strip()[:120])
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())
