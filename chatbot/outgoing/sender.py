"""One attempt to deliver: a POST with a deadline, no redirects, nothing read of a long answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx

from chatbot.outgoing import signing
from chatbot.outgoing.addresses import TargetRefused, pin
from chatbot.settings import Settings

USER_AGENT = "deskgate"
GONE = 410  # "do not call again": RFC 9110


@dataclass(frozen=True)
class Attempt:
    """How it went. ``retry_after_s`` is the target's own wish."""

    ok: bool
    status: int | None = None
    error: str | None = None
    gone: bool = False
    retry_after_s: float | None = None


class Sender:
    """Knows the two targets of the settings. Raises SetupError for a secret of no use."""

    def __init__(self, settings: Settings) -> None:
        self._allow_private = settings.webhook_allow_private
        self._timeout_s = settings.webhook_timeout_s
        secret = settings.webhook_secret
        self._secret = None if secret is None else signing.secret_bytes(secret.get_secret_value())
        notify = settings.notify_url
        self._urls = {
            "events": settings.webhook_url,
            "notify": None if notify is None else notify.get_secret_value(),
        }
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.webhook_timeout_s),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT},
        )

    @property
    def configured(self) -> bool:
        return any(self._urls.values())

    async def send(
        self, target: str, delivery_id: str, body: dict[str, Any], now: float
    ) -> Attempt:
        url = self._urls[target]
        if url is None:
            return Attempt(False, error=f"no target is set for {target}")
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        if target == "events" and self._secret is not None:
            headers |= signing.headers(self._secret, delivery_id, int(now), content)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, content, headers)
        except TimeoutError:
            return Attempt(False, error=f"no answer within {self._timeout_s:g} s")
        except TargetRefused as error:
            return Attempt(False, error=error.detail)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Attempt(False, error=f"{type(error).__name__}: {error}"[:300])

    async def _post(self, url: str, content: bytes, headers: dict[str, str]) -> Attempt:
        pinned = await pin(url, self._allow_private)
        request = self._client.build_request(
            "POST",
            pinned.url,
            content=content,
            headers=headers | {"Host": pinned.host},
            extensions={"sni_hostname": pinned.name},
        )
        response = await self._client.send(request, stream=True)
        try:
            status = response.status_code
            if response.is_success:
                return Attempt(True, status)
            wish = response.headers.get("retry-after", "")
            return Attempt(
                False,
                status,
                f"the target answered {status}",
                gone=status == GONE,
                retry_after_s=float(wish) if wish.isdigit() else None,
            )
        finally:
            await response.aclose()

    async def close(self) -> None:
        await self._client.aclose()
