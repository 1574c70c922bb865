"""Promises, links and length; what the help articles say in general always passes."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from chatbot.safety.policy import Policy
from chatbot.safety.rules import link_reasons, promise_reasons, rule_reasons
from chatbot.types import ReasonCode

POLICY = Policy.load(Path("knowledge_base/sample/policy.toml"))
DOMAINS = ("larkmoor.example",)


@pytest.mark.parametrize(
    "text",
    [
        "I have refunded you.",
        "We've refunded your card today.",
        "you will get your money back today, guaranteed",
        "we'll compensate you £50",
        "I’ve cancelled the order for you.",
        "Good news: your claim has been approved!",
        "I have gone ahead. I just processed the refund.",
        "As an apology, here is a 20% discount.",
        "Your replacement will definitely arrive tomorrow.",
        "You should take legal action against the courier.",
        "I h\u0430ve refunded you.",
        "I have re\u200bfunded you.",
    ],
)
def test_a_personal_grant_is_held(text: str) -> None:
    assert promise_reasons(text, POLICY)[0].code is ReasonCode.FORBIDDEN_PROMISE


@pytest.mark.parametrize(
    "text",
    [
        "Refunds are paid within 5 days.",
        "We refund the delivery fee if the parcel is more than three days late.",
        "You can return it within 60 days of delivery.",
        "Your refund is paid to the card that you used.",
        "If your refund has been approved, the money takes 5 working days.",
        "I can't refund orders, but a colleague can.",
        "We will send you the label by email.",
        "Tents have a guarantee of 3 years.",
    ],
)
def test_a_general_sentence_passes(text: str) -> None:
    assert promise_reasons(text, POLICY) == ()


def test_no_sentence_of_the_public_articles_breaks_a_rule() -> None:
    broken = []
    for path in sorted(Path("knowledge_base/sample/articles").glob("*.md")):
        text = path.read_text("utf-8")
        if "audience: internal" in text:
            continue
        for sentence in re.split(r"(?<=[.!?])\s|\n", text):
            broken += [(path.name, r.words) for r in rule_reasons(sentence, POLICY, DOMAINS)]
    assert broken == []


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/x",
        "https://larkmoor.example@evil.com/",
        "https://larkmoor.example.evil.com",
        "https://notlarkmoor.example",
        "[here](//evil.com/a)",
        "[here](javascript:alert)",
        "evil.ru",
        "www.evil.co.uk/login",
        "http://l\u0430rkmoor.example",
        "[x](data:text/html;base64,AAAA)",
    ],
)
def test_a_link_elsewhere_is_held(link: str) -> None:
    (reason,) = link_reasons(f"See {link} for more.", DOMAINS)
    assert reason.code is ReasonCode.LINK_NOT_ALLOWED


@pytest.mark.parametrize(
    "link",
    [
        "https://larkmoor.example/returns",
        "www.larkmoor.example",
        "HELP.Larkmoor.example.",
        "[returns](/articles/returns@0123456789ab#top)",
        "help@larkmoor.example",
        "personal data: we keep it for a year",
    ],
)
def test_a_link_to_the_company_passes(link: str) -> None:
    assert link_reasons(f"See {link}", DOMAINS) == ()


def test_a_long_answer_is_held() -> None:
    codes = [r.code for r in rule_reasons("word " * 500, POLICY, DOMAINS)]
    assert codes == [ReasonCode.TOO_LONG]


@pytest.mark.parametrize("piece", ["i will ", "you will get a ", "a.", "\u0301", "](x", "1 "])
def test_rules_take_bounded_time(piece: str) -> None:
    started = time.monotonic()
    assert rule_reasons(piece * (1_000_000 // len(piece)), POLICY, DOMAINS)
    assert time.monotonic() - started < 4.0
