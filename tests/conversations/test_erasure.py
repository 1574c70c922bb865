"""Text goes when its time is over or on request; the audit trail stays whole."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from chatbot.conversations.erasure import DAY_S
from chatbot.errors import BadInput, NotAuthenticated, NotFound
from chatbot.storage import audit
from tests.support.office import House, open_house

SIGNING = "a key that the site signs customers with"


async def everything(house: House, conversation: str) -> str:
    """All that staff or a customer could still read of a conversation."""
    detail = await house.staff.detail(conversation)
    items = [await house.review.listed(state) for state in ("open", "resolved", "withdrawn")]
    return json.dumps([detail, await house.events(conversation), items])


async def audit_is_whole(house: House) -> bool:
    async with house.office.read() as rows:
        _, breaks = await audit.verify(rows.session, rows.vault)
    return breaks == []


async def test_messages_older_than_the_retention_are_erased_and_the_audit_stays(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, retention_days=30) as house:
        staff = await house.on_duty()
        old = await house.start()
        await house.say(old, "review my marmalade trip")
        item = (await house.open_items())[0]
        version = (await house.review.claim(item["id"], staff))["version"]
        await house.review.edit(item["id"], staff, version, "About the marmalade: yes.", None)
        house.clock.pass_s(31 * DAY_S)
        young = await house.start()
        await house.say(young, "fresh marmalade")
        assert await house.upkeep.erasure.expired() == 1
        assert "marmalade" not in await everything(house, old)
        assert "fresh marmalade" in await everything(house, young)
        assert await audit_is_whole(house)
        assert await house.upkeep.erasure.expired() == 0
        positions = [position for position, _, _ in await house.events(old)]
        assert positions == list(range(1, len(positions) + 1))


async def test_an_erased_conversation_says_nothing_any_more_and_its_token_ends(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        started = await house.conversations.start(None, None, None)
        conversation = started.conversation_id
        await house.say(conversation, "review my marmalade trip")
        await house.conversations.save_contact(conversation, {"email": "jam@example.com"})
        await house.upkeep.erasure.conversation(conversation, "operator")
        left = await everything(house, conversation)
        assert "marmalade" not in left
        assert "jam@example.com" not in left
        assert await house.open_items() == []
        house.clock.pass_s(1)
        with pytest.raises(NotAuthenticated):
            await house.conversations.authenticate(conversation, started.token)
        assert await audit_is_whole(house)


async def test_a_customer_is_erased_by_signed_id_or_by_the_e_mail_that_was_left(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path, customer_signing_key=SIGNING) as house:
        customer = {"email": "A.Shopper@example.com", "id": "c-17"}
        canonical = json.dumps(customer, sort_keys=True, separators=(",", ":")).encode()
        signature = hmac.new(SIGNING.encode(), canonical, hashlib.sha256).hexdigest()
        signed = (await house.conversations.start(customer, signature, None)).conversation_id
        await house.say(signed, "How long?")
        guest, other = await house.start(), await house.start()
        for conversation, address in ((guest, "a.shopper@example.com"), (other, "b@example.com")):
            await house.conversations.save_contact(conversation, {"email": address})
        erased = await house.upkeep.erasure.customer("a.shopper@EXAMPLE.com", "operator")
        assert set(erased) == {signed, guest}
        with pytest.raises(NotFound):
            await house.upkeep.erasure.customer("a.shopper@example.com", "operator")
        with pytest.raises(BadInput):
            await house.upkeep.erasure.customer("  ", "operator")
