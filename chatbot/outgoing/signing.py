"""Signatures of outgoing webhooks, in the form of Standard Webhooks.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from chatbot.errors import SetupError

PREFIX = "whsec_"
MINIMUM_BYTES = 24


def secret_bytes(secret: str) -> bytes:
    """The key behind ``whsec_…`` (base64), or any other text as it stands. Raises SetupError."""
    try:
        raw = (
            base64.b64decode(secret.removeprefix(PREFIX), validate=True)
            if secret.startswith(PREFIX)
            else secret.encode()
        )
    except binascii.Error:
        raise SetupError("CHATBOT_WEBHOOK_SECRET: what follows whsec_ is not base64") from None
    if len(raw) < MINIMUM_BYTES:
        raise SetupError(
            f"CHATBOT_WEBHOOK_SECRET has {len(raw)} bytes; at least {MINIMUM_BYTES} are needed"
        )
    return raw


def headers(secret: bytes, delivery_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` for a body."""
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{digest}",
    }
