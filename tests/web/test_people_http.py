"""People's routes over HTTP: queue, sign-in, erasure, figures, and what is sent in bad faith."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from chatbot.access.keys import Staff
from chatbot.storage.tables import AuditRow
from tests.support.server import Customer, Running, a_client, a_customer, admin, serving

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        yield server


async def hold(
    running: Running, client: httpx.AsyncClient, text: str = "review this"
) -> tuple[Customer, dict[str, Any]]:
    customer = await a_customer(running, client)
    await customer.say(text)
    await customer.events(until="held")
    listed = (await client.get("/v1/review/items?limit=5000", headers=admin())).json()
    item: dict[str, Any] = next(i for i in listed["items"] if i["conversation_id"] == customer.id)
    return customer, item


async def test_the_next_item_is_claimed_until_nothing_waits(running: Running) -> None:
    async with a_client(running) as client:
        await hold(running, client)
        seen = set()
        while (found := await client.post("/v1/review/items/claim-next", headers=admin())).text:
            assert found.status_code == 200
            assert found.json()["sentences"]
            seen.add(found.json()["id"])
        assert found.status_code == 204
        assert seen


async def test_an_item_is_assigned_to_somebody_who_works_here(running: Running) -> None:
    async with a_client(running) as client:
        _, item = await hold(running, client)
        path = f"/v1/review/items/{item['id']}/assign"
        staff = (await client.get("/v1/staff", headers=admin())).json()["staff"]
        assigned = await client.post(path, headers=admin(), json={"to": staff[0]["id"]})
        assert assigned.json()["assignee"]["name"] == staff[0]["name"]
        nobody = await client.post(path, headers=admin(), json={"to": "key_nobody"})
        assert (nobody.status_code, "key_nobody" in nobody.text) == (404, True)


async def test_bad_decisions_are_told_apart(running: Running) -> None:
    async with a_client(running) as client:
        customer, item = await hold(running, client)
        path = f"/v1/review/items/{item['id']}"
        unclaimed = await client.post(
            f"{path}/approve", headers=admin(), json={"version": item["version"]}
        )
        assert (unclaimed.status_code, "claim it first" in unclaimed.text) == (409, True)
        version = (await client.post(f"{path}/claim", headers=admin())).json()["version"]
        edit = {"version": version, "text": "x" * 50_000}
        long = await client.post(f"{path}/edit", headers=admin(), json=edit)
        assert (long.status_code, "50,000" in long.text) == (413, True)
        edit["text"] = "You idiot."
        refused = await client.post(f"{path}/edit", headers=admin(), json=edit)
        assert refused.status_code == 422
        assert refused.json()["type"] == "/problems/gate-refuses"
        assert refused.json()["reasons"][0]["code"] == "toxic"
        assert refused.json()["may_override"] is True
        empty = await client.post(f"{path}/edit", headers=admin(), json={**edit, "text": " "})
        assert empty.status_code == 400
        overridden = await client.post(
            f"{path}/edit", headers=admin(), json={**edit, "override_reason": "a quotation"}
        )
        assert overridden.status_code == 200
        twice = await client.post(f"{path}/edit", headers=admin(), json=edit)
        assert (twice.status_code, "resolved already" in twice.text) == (409, True)
        trail = await client.get(f"/v1/audit?chain={customer.id}", headers=admin())
        edited = next(r for r in trail.json()["rows"] if r["action"] == "item.edited")
        assert edited["data"]["override"] is True


async def test_a_stale_draft_is_approved_only_on_purpose(running: Running) -> None:
    async with a_client(running) as client:
        customer, item = await hold(running, client)
        path = f"/v1/review/items/{item['id']}"
        await customer.say("and boots?")
        body = {"version": (await client.post(f"{path}/claim", headers=admin())).json()["version"]}
        refused = await client.post(f"{path}/approve", headers=admin(), json=body)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/stale")
        assert refused.json()["remedies"] == ["redraft", "edit", "although_stale"]
        meant = await client.post(
            f"{path}/approve", headers=admin(), json=body | {"although_stale": True}
        )
        assert meant.json()["resolution"] == "approved"
        trail = await client.get(f"/v1/audit?chain={customer.id}", headers=admin())
        approved = next(r for r in trail.json()["rows"] if r["action"] == "item.approved")
        assert approved["data"]["stale"] is True


async def test_html_and_script_come_back_as_the_text_they_are(running: Running) -> None:
    keys = running.app.state.context.keys
    _, key = await keys.create("admin", SCRIPT[:40])
    headers = {"Authorization": f"Bearer {key}"}
    async with a_client(running) as client:
        customer, item = await hold(running, client, f"review {SCRIPT}")
        path = f"/v1/review/items/{item['id']}"
        claimed = await client.post(f"{path}/claim", headers=headers)
        assert claimed.headers["content-type"] == "application/json"
        rejected = await client.post(
            f"{path}/reject",
            headers=headers,
            json={
                "version": claimed.json()["version"],
                "reason": SCRIPT,
                "reply": SCRIPT,
                "override_reason": SCRIPT,
            },
        )
        assert rejected.status_code == 200, rejected.text
        history = await client.get(f"{customer.path}/messages", headers=customer.headers)
        message = history.json()["messages"][-1]
        assert message["text"] == SCRIPT
        assert message["author"]["name"] == SCRIPT[:40]
        found = await client.get("/v1/review/items?state=resolved&q=<script>", headers=headers)
        assert found.json()["items"][0]["question"] == f"review {SCRIPT}"
        contact = {"name": SCRIPT, "email": "a@example.com", "note": SCRIPT}
        assert (
            await client.post(f"{customer.path}/contact", json=contact, headers=customer.headers)
        ).status_code == 202


async def test_a_signed_in_person_needs_the_cookie_and_for_changes_the_csrf_token(
    running: Running,
) -> None:
    sessions = running.app.state.context.sessions
    token, _ = await sessions.start(Staff("user_1", "Kim", "reviewer"))
    async with a_client(running) as client:
        await hold(running, client)
        client.cookies.set("deskgate_session", token)
        me = (await client.get("/v1/staff/me")).json()
        assert (me["name"], me["role"]) == ("Kim", "reviewer")
        without = await client.post("/v1/review/items/claim-next")
        assert (without.status_code, "X-CSRF-Token" in without.text) == (403, True)
        csrf = {"X-CSRF-Token": me["csrf_token"]}
        assert (await client.post("/v1/review/items/claim-next", headers=csrf)).status_code == 200
        assert (await client.get("/v1/webhooks/deliveries")).status_code == 403
        out = await client.post("/v1/auth/logout", headers=csrf)
        assert out.status_code == 204
        client.cookies.set("deskgate_session", token)
        assert (await client.get("/v1/staff/me")).status_code == 401


async def test_without_a_provider_sign_in_is_by_key(running: Running) -> None:
    async with a_client(running) as client:
        assert (await client.get("/v1/auth/methods")).json() == {"key": True, "oidc": None}
        assert (await client.get("/auth/login")).status_code == 404


async def test_the_lead_sees_figures_rules_gaps_and_an_intact_trail(running: Running) -> None:
    async with a_client(running) as client:
        await hold(running, client)
        overview = (await client.get("/v1/reports/overview", headers=admin())).json()
        assert overview["totals"]["held"] >= 1
        table = await client.get("/v1/reports/overview.csv", headers=admin())
        assert table.text.startswith("day,conversations,")
        bad = await client.get("/v1/reports/overview?from=yesterday", headers=admin())
        assert bad.status_code == 422
        assert (await client.get("/v1/review/rules", headers=admin())).json()["problem"] is None
        assert "gaps" in (await client.get("/v1/knowledge/gaps", headers=admin())).json()
        assert (await client.get("/v1/audit/verify", headers=admin())).json()["breaks"] == []
        summary = (await client.get("/v1/learning/summary", headers=admin())).json()
        assert summary["consent"] == "unless_refused"
        assert (await client.get("/readyz")).json()["parts"]["review"]["ok"] is True


async def test_the_lead_reads_what_is_in_force_all_in_all(running: Running) -> None:
    async with a_client(running) as client:
        found = (await client.get("/v1/review/rules", headers=admin())).json()["in_force"]
        assert found["intents"] == ["compensation_claim"]
        assert found["answer_within_s"] > found["urgent_within_s"] > 0
        assert [step["do"] for step in found["late"]] == ["escalate", "contact_form"]


async def test_one_trail_says_who_did_what_and_where_it_was_altered(running: Running) -> None:
    async with a_client(running) as client:
        customer, item = await hold(running, client)
        await client.post(f"/v1/review/items/{item['id']}/claim", headers=admin())
        path = f"/v1/audit/chains/{customer.id}"
        trail = (await client.get(path, headers=admin())).json()
        assert trail["broken"] is None
        assert trail["count"] == len(trail["rows"])
        assert trail["rows"][0]["action"] == "conversation.start"
        claimed = trail["rows"][-1]
        assert claimed["action"] == "item.claim"
        assert trail["names"][claimed["actor"].partition(":")[2]] == "first admin"
        async with running.app.state.context.office.database.write() as session:
            forged = update(AuditRow).where(
                AuditRow.chain == customer.id, AuditRow.sequence == claimed["sequence"]
            )
            await session.execute(forged.values(actor="reviewer:somebody_else"))
        broken = (await client.get(path, headers=admin())).json()["broken"]
        assert broken == {"sequence": claimed["sequence"], "reason": "a row was altered"}
        async with running.app.state.context.office.database.write() as session:
            await session.execute(forged.values(actor=claimed["actor"]))
        assert (await client.get("/v1/audit/chains/conv_no", headers=admin())).status_code == 404


async def test_a_handover_is_kept_for_a_colleague_on_duty(running: Running) -> None:
    keys, staff = running.app.state.context.keys, running.app.state.context.staff
    kim_id, kim_key = await keys.create("agent", "Kim")
    _, robin_key = await keys.create("agent", "Robin")
    kim, robin = ({"Authorization": f"Bearer {key}"} for key in (kim_key, robin_key))
    async with a_client(running) as client:
        customer = await a_customer(running, client)
        await client.post(f"{customer.path}/request-person", headers=customer.headers)
        kept = await client.post(f"{customer.path}/assign", headers=robin, json={"to": kim_id})
        assert kept.json()["assignee"] == {"id": kim_id, "name": "Kim"}
        await staff.beat(await keys.recognise(kim_key))
        refused = await client.post(f"{customer.path}/takeover", headers=robin, json={})
        assert (refused.status_code, "assigned to Kim" in refused.text) == (409, True)
        taken = await client.post(f"{customer.path}/takeover", headers=kim, json={})
        assert taken.status_code == 200
        late = await client.post(f"{customer.path}/assign", headers=robin, json={"to": None})
        assert (late.status_code, "with Kim" in late.text) == (409, True)


async def test_what_a_customer_told_the_team_about_learning_is_kept(running: Running) -> None:
    async with a_client(running) as client:
        customer = await a_customer(running, client)
        body = {"conversation_id": customer.id, "training": False}
        noted = await client.post("/v1/consents", headers=admin(), json=body)
        assert noted.json() == {"conversations": [customer.id]}
        history = await client.get(f"{customer.path}/messages", headers=customer.headers)
        assert history.json()["consent"] == {"rule": "unless_refused", "given": False}
        nobody = {"customer": "nobody@example.com", "training": False}
        assert (await client.post("/v1/consents", headers=admin(), json=nobody)).status_code == 404
        empty = await client.post("/v1/consents", headers=admin(), json={"training": False})
        assert empty.status_code == 400


async def test_an_erased_conversation_is_empty_for_everybody(running: Running) -> None:
    async with a_client(running) as client:
        customer, _ = await hold(running, client, "review my marmalade")
        erased = await client.delete(f"/v1/conversations/{customer.id}", headers=admin())
        assert erased.json() == {"erased": [customer.id]}
        detail = await client.get(f"/v1/conversations/{customer.id}", headers=admin())
        assert "marmalade" not in detail.text
        assert detail.json()["conversation"]["erased"] is True
        gone = await client.get(f"{customer.path}/messages", headers=customer.headers)
        assert gone.status_code == 401


async def test_consent_is_the_customers_to_give_and_take(running: Running) -> None:
    async with a_client(running) as client:
        customer = await a_customer(running, client)
        path = f"{customer.path}/consent"
        said = await client.post(path, json={"training": False}, headers=customer.headers)
        assert said.status_code == 204
        assert (await client.post(path, json={}, headers=customer.headers)).status_code == 422


async def test_the_application_runs_on_postgres_with_two_workers(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres")(tmp_path)
    with (
        serving(tmp_path, database_url=url) as one,
        serving(tmp_path, database_url=url) as two,
    ):
        async with a_client(one) as first, a_client(two) as second:
            customer, item = await hold(one, first)
            path = f"/v1/review/items/{item['id']}"
            version = (await second.post(f"{path}/claim", headers=admin())).json()["version"]
            taken = await first.post(f"{path}/approve", headers=admin(), json={"version": version})
            assert taken.status_code == 200
            customer.client = second
            log = [event async for event in _until_answered(customer)]
            assert log[-1][2]["message"]["text"] == "You have 60 days. Returns are free."


async def _until_answered(customer: Customer) -> AsyncIterator[tuple[int | None, str, Any]]:
    """Events up to the first message that is no notice."""
    async for event in customer.each_event():
        yield event
        if event[1] == "message" and event[2]["message"]["author"]["kind"] != "notice":
            return
