"""Rules of the policy on a text of the bot: promises, links, length."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urlsplit

from chatbot.safety.crisis import crisis_alarm, crisis_reason
from chatbot.safety.pii_patterns import find_urls
from chatbot.safety.policy import Policy
from chatbot.safety.policy_rules import ForbiddenRule, PolicyRules
from chatbot.safety.readable import MAX_READ, readable
from chatbot.safety.views import scoring_views
from chatbot.types import Reason, ReasonCode, Side

_SCHEME: Final = re.compile(
    r"\b(?:javascript|vbscript|data|file|ftp|sms|ws|wss|blob|intent):\S", re.I
)
_SCHEME_ALLOWED: Final = re.compile(r"\b(?:data|file|sms|intent):(?![a-z]+/|//)", re.I)
_MARKDOWN_LINK: Final = re.compile(r"\]\(\s{0,3}<?([^)\s>]{1,400})")
_AUTHORITY: Final = re.compile(r"^[a-z][a-z0-9+.-]{1,20}:(?!//)", re.I)


def rule_reasons(
    text: str, policy: Policy | PolicyRules, allowed_domains: Collection[str], intent: str = ""
) -> tuple[Reason, ...]:
    """FORBIDDEN_PROMISE, LINK_NOT_ALLOWED and TOO_LONG; nothing for a text within the rules."""
    return (
        *length_reasons(text, policy),
        *promise_reasons(text, policy, intent),
        *link_reasons(text, allowed_domains),
    )


def policy_reasons(
    text: str, rules: PolicyRules, side: Side, company_domains: Collection[str] = ()
) -> tuple[Reason, ...]:
    """What the policy file itself objects to on a side, models apart."""
    if side is Side.CUSTOMER:
        reason = crisis_rule_reason((text,), rules.crisis)
        return () if reason is None else (reason,)
    return rule_reasons(text, rules, rules.allowed_domains or company_domains)


def crisis_rule_reason(views: Sequence[str], rules: Sequence[ForbiddenRule]) -> Reason | None:
    """CRISIS where the policy's own wordings of danger stand in the text or one of its views."""
    for rule in rules:
        for view in views:
            words = rule.match(view[:MAX_READ])
            if words is not None:
                return Reason(
                    ReasonCode.CRISIS,
                    f"{rule.why} It says {words!r}.",
                    rule=f"policy.toml: {rule.name}",
                    words=words,
                )
    return None


def danger_in_words(text: str, rules: Sequence[ForbiddenRule]) -> Reason | None:
    """CRISIS where plain wordings, the policy's or those built in, say so: no model is asked."""
    views = scoring_views(text[:MAX_READ])
    return crisis_rule_reason(views, rules) or crisis_reason(0.0, 1.0, crisis_alarm(views))


def length_reasons(text: str, policy: Policy | PolicyRules) -> tuple[Reason, ...]:
    words = len(text.split())
    if words <= policy.max_words and len(text) <= MAX_READ:
        return ()
    return (
        Reason(
            ReasonCode.TOO_LONG,
            f"The answer has {words} words and {len(text)} characters; {policy.max_words} words "
            f"are allowed, and no more than {MAX_READ} characters are read.",
            rule="policy.toml: max_words",
            score=float(words),
            threshold=float(policy.max_words),
        ),
    )


def promise_reasons(
    text: str, policy: Policy | PolicyRules, intent: str = ""
) -> tuple[Reason, ...]:
    """One reason for each forbidden rule that the text breaks, with the words that break it."""
    views = scoring_views(text[:MAX_READ])  # a disguised promise is one all the same
    reasons = []
    for rule in policy.forbidden:
        words = next(filter(None, map(rule.match, views)), None)
        if words is not None:
            about = f" in an answer about {intent!r}" if intent else ""
            reasons.append(
                Reason(
                    ReasonCode.FORBIDDEN_PROMISE,
                    f"{rule.why} It says {words!r}{about}.",
                    rule=f"policy.toml: {rule.name}",
                    words=words,
                )
            )
    return tuple(reasons)


def link_reasons(text: str, allowed_domains: Collection[str]) -> tuple[Reason, ...]:
    """Links, named or bare, to hosts outside the allowed domains and their subdomains."""
    plain = readable(text).text
    hosts: dict[str, str] = {}
    for entity in find_urls(plain):
        hosts.setdefault(_host(entity.text), entity.text)
    for match in _MARKDOWN_LINK.finditer(plain):
        target = match[1]
        if target.startswith(("//", "\\")) or "://" in target or _AUTHORITY.match(target):
            hosts.setdefault(_host(target), target)
    for scheme in _SCHEME.finditer(plain):
        if not _SCHEME_ALLOWED.match(plain, scheme.start()):
            hosts.setdefault("", scheme[0])
    return tuple(
        Reason(
            ReasonCode.LINK_NOT_ALLOWED,
            f"The link leads to {host or 'no web address'!r}; allowed are: "
            f"{', '.join(sorted(allowed_domains)) or 'none'}.",
            rule="policy.toml: allowed_domains",
            words=shown,
        )
        for host, shown in hosts.items()
        if not _allowed(host, allowed_domains)
    )


def _host(link: str) -> str:
    link = link.replace("\\", "/")
    if _AUTHORITY.match(link) and not link.lower().startswith(("http:", "https:")):
        return "mailto" if link.lower().startswith(("mailto:", "tel:")) else ""
    try:
        parts = urlsplit(link if "//" in link else f"//{link}")
        return (parts.hostname or "").rstrip(".").lower()
    except ValueError:  # a broken IPv6 address or port: not a place that anybody allowed
        return ""


def _allowed(host: str, domains: Collection[str]) -> bool:
    if host == "mailto":  # the address itself is checked as personal data
        return True
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
