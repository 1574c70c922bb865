"""Rate limits per address, key and conversation (moving window, the ``limits`` library)."""

from __future__ import annotations

import time

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from chatbot.errors import SetupError, TooManyRequests
from chatbot.settings import Settings


class RateLimits:
    """Counts live in this process; with several workers each has its own window."""

    def __init__(self, settings: Settings) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._rates = {
            "address": _parse("CHATBOT_RATE_ADDRESS", settings.rate_address),
            "key": _parse("CHATBOT_RATE_KEY", settings.rate_key),
            "conversation": _parse("CHATBOT_RATE_CONVERSATION", settings.rate_conversation),
            "start": _parse("CHATBOT_RATE_NEW_CONVERSATIONS", settings.rate_new_conversations),
        }
        self._proxies = {p.strip() for p in settings.trusted_proxies.split(",") if p.strip()}

    def count(self, kind: str, who: str) -> None:
        """Raises TooManyRequests with the seconds until the next one is taken."""
        rate = self._rates[kind]
        if self._limiter.hit(rate, kind, who):
            return
        window = self._limiter.get_window_stats(rate, kind, who)
        wait_s = max(1, int(window.reset_time - time.time()) + 1)
        raise TooManyRequests(
            f"at most {rate} for one {kind}; try again in {wait_s} s", retry_after_s=wait_s
        )

    def address(self, request: Request) -> str:
        """The client's address; X-Forwarded-For counts only behind a trusted proxy."""
        peer = request.client.host if request.client else "unknown"
        forwarded = request.headers.get("x-forwarded-for")
        if forwarded and peer in self._proxies:
            return forwarded.split(",")[-1].strip()
        return peer


def _parse(name: str, rate: str) -> RateLimitItem:
    try:
        return parse(rate)
    except ValueError:
        raise SetupError(f"{name}: {rate!r} is not a rate such as '20/minute'") from None
