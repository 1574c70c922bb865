"""Outgoing webhooks: signed, durable, retried, given up, replayed; never into the own network."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chatbot.errors import Conflict, NotFound, SetupError
from chatbot.outgoing.addresses import TargetRefused, pin
from chatbot.outgoing.dispatcher import FIRST_RETRY_S, Dispatcher
from chatbot.outgoing.service import Deliveries
from chatbot.settings import load_settings
from tests.support.office import House, open_house

RAW = b"twenty-four bytes or more of key"
KEY = "whsec_" + base64.b64encode(RAW).decode()


class Target:
    """A real HTTP server; ``behaviour`` says what it answers: a status, or 'hang'."""

    def __init__(self) -> None:
        self.behaviour: int | str = 204
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in asked)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.received.append((headers, body))
        if self.behaviour == "hang":
            await asyncio.sleep(30)
        where = f"location: {self.url}/elsewhere\r\n" if self.behaviour == 307 else ""
        head = f"HTTP/1.1 {self.behaviour} X\r\n{where}content-length: 0\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]


@asynccontextmanager
async def listening() -> AsyncIterator[Target]:
    target = Target()
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await target.handle(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    target.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield target
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def told(
    tmp_path: Path, target: Target, **settings: Any
) -> AsyncIterator[tuple[House, Dispatcher]]:
    settings = {"webhook_url": target.url, "webhook_secret": KEY} | settings
    async with open_house(
        tmp_path, webhook_allow_private=True, webhook_timeout_s=0.5, **settings
    ) as house:
        dispatcher = Dispatcher(house.office)
        try:
            yield house, dispatcher
        finally:
            await dispatcher.close()


async def states(house: House) -> dict[str, int]:
    counts: dict[str, int] = (await Deliveries(house.office).listed(None))["counts"]
    return counts


async def test_an_answer_for_a_customer_who_went_away_is_sent_signed(tmp_path: Path) -> None:
    async with listening() as target, told(tmp_path, target) as (house, dispatcher):
        conversation = await house.start()
        await house.say(conversation, "How long?")
        assert await dispatcher.once() == 0  # perhaps the customer is still there
        house.clock.pass_s(house.office.settings.webhook_away_s)
        assert await dispatcher.once() == 1
        headers, body = target.received[0]
        sent = json.loads(body)
        assert sent["type"] == "message.released"
        assert sent["data"]["message"]["text"] == "You have 60 days. Returns are free."
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = base64.b64encode(hmac.new(RAW, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{digest}"
        assert await dispatcher.once() == 0
        assert await states(house) == {"delivered": 1}


async def test_what_the_client_has_is_not_sent_again(tmp_path: Path) -> None:
    async with listening() as target, told(tmp_path, target) as (house, dispatcher):
        conversation = await house.start()
        await house.say(conversation, "How long?")
        async with house.office.write() as rows:
            await rows.acknowledge(conversation, 4)
        house.clock.pass_s(60)
        assert await dispatcher.once() == 0
        assert target.received == []
        assert await states(house) == {"skipped": 1}


async def test_staff_are_told_of_waiting_items_and_handovers_without_a_customers_words(
    tmp_path: Path,
) -> None:
    async with listening() as target:
        settings = {"notify_url": target.url, "webhook_url": None, "webhook_secret": None}
        async with told(tmp_path, target, public_url="https://help.example", **settings) as (
            house,
            dispatcher,
        ):
            await house.say(await house.start(), "review my marmalade trip")
            await house.say(await house.start(), "person please, about marmalade")
            await dispatcher.once()
            assert len(target.bodies) == 2
            assert all(set(body) == {"text"} for body in target.bodies)
            texts = " ".join(body["text"] for body in target.bodies)
            assert "waits for review (always_review)" in texts
            assert "waits for a person" in texts
            assert "https://help.example/console" in texts
            assert "marmalade" not in texts


async def test_a_target_that_fails_is_tried_again_later_with_the_same_id_then_given_up(
    tmp_path: Path,
) -> None:
    async with (
        listening() as target,
        told(tmp_path, target, webhook_max_attempts=3) as (house, dispatcher),
    ):
        target.behaviour = 503
        await house.on_duty()
        await house.say(await house.start(), "review this")
        for attempt in range(3):
            assert await dispatcher.once() == 1
            house.clock.pass_s(FIRST_RETRY_S * 2**attempt * 0.74)
            assert await dispatcher.once() == 0  # not yet
            house.clock.pass_s(FIRST_RETRY_S * 2**attempt * 0.52)
        dead = await Deliveries(house.office).listed("dead")
        assert dead["deliveries"][0]["last_status"] == 503
        assert len({headers["webhook-id"] for headers, _ in target.received}) == 1

        deliveries = Deliveries(house.office)
        dead_id = dead["deliveries"][0]["id"]
        with pytest.raises(NotFound):
            await deliveries.replay("evt_nope", "operator")
        assert await deliveries.replay(dead_id, "operator") == 1
        target.behaviour = 200
        assert await dispatcher.once() == 1
        assert await states(house) == {"delivered": 1}
        with pytest.raises(Conflict, match="is delivered"):
            await deliveries.replay(dead_id, "operator")


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with listening() as target, told(tmp_path, target) as (house, dispatcher):
        target.behaviour = 307
        await house.on_duty()
        await house.say(await house.start(), "review this")
        await dispatcher.once()
        assert len(target.received) == 1
        assert await states(house) == {"waiting": 1}


async def test_a_target_that_hangs_costs_its_timeout_and_nothing_else(tmp_path: Path) -> None:
    async with listening() as target, told(tmp_path, target) as (house, dispatcher):
        target.behaviour = "hang"
        await house.on_duty()
        for _ in range(5):
            await house.say(await house.start(), "review this")
        began = asyncio.get_running_loop().time()
        sending = asyncio.create_task(dispatcher.once())
        await asyncio.sleep(0.05)
        await house.say(await house.start(), "How long?")  # the house goes on
        assert await sending == 5
        assert asyncio.get_running_loop().time() - began < 5
        listed = (await Deliveries(house.office).listed("waiting"))["deliveries"]
        assert sum(row["last_error"] == "no answer within 0.5 s" for row in listed) == 5


async def test_a_delivery_whose_sender_was_killed_is_sent_by_another(tmp_path: Path) -> None:
    async with listening() as target, told(tmp_path, target) as (house, dispatcher):
        await house.on_duty()
        await house.say(await house.start(), "review this")
        assert len(await dispatcher._lease()) == 1  # leased, never attempted
        assert await dispatcher.once() == 0
        house.clock.pass_s(60)
        assert await dispatcher.once() == 1
        assert await states(house) == {"delivered": 1}


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://0.0.0.0/",
        "http://93.184.216.34/",
        "ftp://93.184.216.34/",
        "https://user:secret@93.184.216.34/",
    ],
)
async def test_targets_inside_the_own_network_are_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        await pin(url, allow_private=False)


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    pinned = await pin("https://93.184.216.34:8443/hook?x=1", allow_private=False)
    assert str(pinned.url) == "https://93.184.216.34:8443/hook?x=1"
    assert pinned.host == "93.184.216.34:8443"


def test_a_target_without_a_secret_stops_the_start() -> None:
    with pytest.raises(SetupError, match=r"CHATBOT_WEBHOOK_SECRET: .*CHATBOT_WEBHOOK_URL"):
        load_settings({}, webhook_url="https://hooks.example/x")
