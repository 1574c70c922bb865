"""A whole journey that may be cut off anywhere and is then gone on with, as people would.

A customer asks, gets an answer, asks what is always reviewed; a reviewer claims and approves;
the customer gets that too. Every step can be repeated after a crash; what must not happen is
that anything is lost or comes twice.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.server import Customer, admin

FIRST, SECOND = "How long do I have to return a jacket?", "review my ruined trip"


@dataclass
class Journey:
    url: str
    widget_key: str
    reviewed: str = SECOND
    """A question that this server holds."""
    patience_s: float = 30.0
    customer: tuple[str, str] | None = None
    acknowledged: set[str] = field(default_factory=set)

    async def go_on(self) -> None:
        """From wherever it was cut off to its end. Raises httpx.TransportError at a crash."""
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as client:
            if self.customer is None:
                key = {"Authorization": f"Bearer {self.widget_key}"}
                response = await client.post("/v1/conversations", json={}, headers=key)
                body = response.raise_for_status().json()
                self.customer = (body["id"], body["token"])
            customer = Customer(client, *self.customer)
            await self._say(customer, FIRST, "first")
            await self._until(customer, lambda log: _count(log, "message") >= 1)
            await self._say(customer, self.reviewed, "second")
            await self._until(customer, lambda log: _count(log, "held") == 1)
            await self._decide(client)
            await self._until(customer, lambda log: _count(log, "message") >= 2)

    async def _say(self, customer: Customer, text: str, key: str) -> None:
        response = await customer.say(text, **{"Idempotency-Key": key})
        assert response.status_code == 202, response.text
        self.acknowledged.add(key)

    async def _decide(self, client: httpx.AsyncClient) -> None:
        assert self.customer is not None
        for state in ("open", "resolved"):
            found = await client.get(f"/v1/review/items?state={state}&limit=5000", headers=admin())
            items = found.raise_for_status().json()["items"]
            own = [i for i in items if i["conversation_id"] == self.customer[0]]
            if own:
                break
        assert len(own) == 1, own
        if state == "resolved":
            return  # the decision was taken; only its answer was lost
        assert "decision" not in self.acknowledged, "a decision that was confirmed is gone"
        path = f"/v1/review/items/{own[0]['id']}"
        claimed = (await client.post(f"{path}/claim", headers=admin())).raise_for_status().json()
        decided = await client.post(
            f"{path}/approve", headers=admin(), json={"version": claimed["version"]}
        )
        assert decided.status_code == 200, decided.text
        self.acknowledged.add("decision")

    async def _until(self, customer: Customer, reached: Any) -> None:
        deadline = time.monotonic() + self.patience_s
        while not reached(await self.log(customer)):
            assert time.monotonic() < deadline, await self.log(customer)
            await asyncio.sleep(0.05)

    @staticmethod
    async def log(customer: Customer) -> list[tuple[int, str, dict[str, Any]]]:
        """The durable log as it is now, by the stream that a widget reads."""
        response = await customer.client.get(f"{customer.path}/messages", headers=customer.headers)
        newest = response.raise_for_status().json()["last_event_id"]
        if newest == 0:
            return []
        found = []
        async for event in customer.each_event():
            if event[0] is not None:
                found.append(event)
                if event[0] >= newest:
                    break
        return found

    async def check(self) -> None:
        """Nothing is lost, nothing came twice, positions have no gap."""
        assert self.customer is not None
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as client:
            log = await self.log(Customer(client, *self.customer))
            assert [position for position, _, _ in log] == list(range(1, len(log) + 1))
            said = [p["message"]["text"] for _, kind, p in log if kind == "received"]
            assert said == [FIRST, self.reviewed]
            assert _count(log, "held") == 1, [kind for _, kind, _ in log]
            answers = [p["message"] for _, kind, p in log if kind == "message"]
            answers = [m for m in answers if m["author"]["kind"] in ("bot", "person")]
            assert len(answers) == 2, [kind for _, kind, _ in log]
            first = [
                p
                for _, kind, p in log
                if kind == "sentence" and p["message_id"] == answers[0]["id"]
            ]
            text = "".join(p["separator"] + p["text"] for p in first).strip()
            assert not first or text == answers[0]["text"]
            assert [p["index"] for p in first] == list(range(len(first)))


def _count(log: list[tuple[int, str, dict[str, Any]]], kind: str) -> int:
    """Messages of the bot or a person; or events of another kind."""
    if kind != "message":
        return sum(k == kind for _, k, _ in log)
    return sum(k == kind and p["message"]["author"]["kind"] in ("bot", "person") for _, k, p in log)
