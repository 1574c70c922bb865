"""Where a webhook may go: no address inside the own network, also not by a name that changes.

The name is resolved once, every address is judged, and the connection goes to the judged
address, so that a second answer of the name server (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

import httpx

from chatbot.errors import DeskgateError

IPv4or6 = ipaddress.IPv4Address | ipaddress.IPv6Address


class TargetRefused(DeskgateError):
    """The target may not be called; trying again helps only when its address changes."""


@dataclass(frozen=True)
class Pinned:
    """A URL with an address in place of its name, and the name for Host and TLS."""

    url: httpx.URL
    host: str
    name: str


async def pin(url: str, allow_private: bool) -> Pinned:
    """Raises TargetRefused for another scheme, credentials in the URL or a private address."""
    parsed = httpx.URL(url)
    allowed = ("https", "http") if allow_private else ("https",)
    if parsed.scheme not in allowed or not parsed.host:
        raise TargetRefused(
            f"{parsed.scheme}://{parsed.host} is not a target; use https://, or set "
            "CHATBOT_WEBHOOK_ALLOW_PRIVATE for a target in your own network"
        )
    if parsed.userinfo:
        raise TargetRefused("a target's URL may not hold a user name or password")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    addresses = await _addresses(parsed.host, port)
    refused = [] if allow_private else [a for a in addresses if not _public(a)]
    if refused:
        raise TargetRefused(
            f"{parsed.host} leads to {refused[0]}, which is not a public address; set "
            "CHATBOT_WEBHOOK_ALLOW_PRIVATE if that is meant"
        )
    address = addresses[0]
    literal = f"[{address}]" if address.version == 6 else str(address)
    host = parsed.netloc.decode("ascii")
    return Pinned(parsed.copy_with(host=literal, port=port), host, parsed.host)


async def _addresses(host: str, port: int) -> list[IPv4or6]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TargetRefused(f"{host} has no address: {error.strerror or error}") from None
    return [ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found]


def _public(address: IPv4or6) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return _public(inner)
    return address.is_global and not address.is_multicast
