"""What comes in from a site or a customer, believed and cleaned before anything is stored."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from chatbot.errors import BadInput, NotAuthenticated, TooLarge
from chatbot.settings import Settings

MAX_CONTACT_CHARS = 1000


def check_signature(settings: Settings, customer: dict[str, Any], signature: str | None) -> None:
    """Raises NotAuthenticated unless the site signed ``customer``, BadInput where it cannot."""
    key = settings.customer_signing_key
    if key is None:
        raise BadInput(
            "`customer` was sent, but CHATBOT_CUSTOMER_SIGNING_KEY is not set; "
            "set it, or leave `customer` out"
        )
    canonical = json.dumps(customer, sort_keys=True, separators=(",", ":")).encode()
    expected = hmac.new(key.get_secret_value().encode(), canonical, hashlib.sha256).hexdigest()
    if signature is None or not hmac.compare_digest(expected, signature):
        raise NotAuthenticated(
            "the signature does not fit `customer`; sign its JSON (sorted keys, no spaces) "
            "with HMAC-SHA256 and send the hex digest"
        )


def clean_message(text: str, limit: int) -> str:
    """The words of a message. Raises TooLarge above ``limit`` characters, BadInput for none."""
    if len(text) > limit:
        raise TooLarge(
            f"the message has {len(text):,} characters; at most {limit:,} can be sent at once"
        )
    # Control characters other than line breaks and tabs carry nothing a person typed.
    text = "".join(c for c in text if c in "\n\t" or (c >= " " and c != "\x7f"))
    text = text.encode("utf-8", "replace").decode("utf-8").strip()
    if not text:
        raise BadInput("the message is empty; write something first")
    return text


def clean_contact(contact: Mapping[str, str | None]) -> dict[str, str]:
    """What was filled in. Raises BadInput without a way to reach the customer, TooLarge."""
    given = {name: value.strip() for name, value in contact.items() if value and value.strip()}
    if not given.get("email") and not given.get("phone"):
        raise BadInput("leave an e-mail address or a phone number, so that we can reach you")
    if sum(map(len, given.values())) > MAX_CONTACT_CHARS:
        raise TooLarge(f"contact details may have {MAX_CONTACT_CHARS} characters together")
    return given
