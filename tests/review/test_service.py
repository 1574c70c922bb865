"""The review queue: one reviewer, one decision, delivered once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chatbot.answering.scripted import ScriptedEngine
from chatbot.conversations.staff import GateRefuses
from chatbot.errors import BadInput, Conflict, DeskgateError, NotAllowed
from tests.support.desk import ScriptedDesk
from tests.support.office import House, open_house


async def held(house: House, text: str = "review my trip") -> tuple[str, dict]:
    conversation = await house.start()
    await house.say(conversation, text)
    return conversation, (await house.open_items())[-1]


async def test_an_approved_draft_reaches_the_waiting_customer(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item = await held(house)
        claimed = await house.review.claim(item["id"], staff)
        assert claimed["sentences"][0]["text"] == "You have 60 days."
        assert claimed["passages"][0]["article"] == "return-window"
        await house.review.approve(item["id"], staff, claimed["version"])

        _, kind, payload = (await house.events(conversation))[-1]
        assert kind == "message"
        assert payload["message"]["text"] == "You have 60 days. Returns are free."
        assert payload["message"]["author"]["kind"] == "bot"
        assert payload["message"]["citations"]
        history = await house.conversations.history(conversation)
        assert history["held"] is False
        assert [m["position"] for m in history["messages"]] == sorted(
            m["position"] for m in history["messages"]
        )


async def test_an_edited_draft_is_a_persons_word(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty("Kim")
        conversation, item = await held(house)
        version = (await house.review.claim(item["id"], staff))["version"]
        await house.review.edit(item["id"], staff, version, "We look into it today.", None)
        message = (await house.events(conversation))[-1][2]["message"]
        assert message["text"] == "We look into it today."
        assert message["author"] == {"kind": "person", "name": "Kim"}


async def test_the_released_beginning_stays_and_only_the_rest_is_edited(tmp_path: Path) -> None:
    desk = ScriptedDesk(ScriptedEngine("You have 60 days [1]. You idiot [1]."))
    async with open_house(tmp_path, desk) as house:
        staff = await house.on_duty()
        conversation, item = await held(house, "How long?")
        version = (await house.review.claim(item["id"], staff))["version"]
        await house.review.edit(item["id"], staff, version, "Returns are free.", None)
        message = (await house.events(conversation))[-1][2]["message"]
        assert message["text"] == "You have 60 days. Returns are free."


async def test_a_second_decision_is_refused_and_sends_nothing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item = await held(house)
        version = (await house.review.claim(item["id"], staff))["version"]
        await house.review.approve(item["id"], staff, version)
        before = await house.kinds(conversation)
        with pytest.raises(Conflict, match="resolved already"):
            await house.review.approve(item["id"], staff, version)
        assert await house.kinds(conversation) == before


async def test_nobody_else_can_take_a_claimed_item_until_its_lease_expires(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        robin, kim = await house.on_duty("Robin"), await house.on_duty("Kim")
        _, item = await held(house)
        version = (await house.review.claim(item["id"], robin))["version"]
        with pytest.raises(Conflict, match="Robin is working"):
            await house.review.claim(item["id"], kim)
        house.clock.pass_s(house.office.settings.review_lease_s + 1)
        with pytest.raises(Conflict, match="lease has expired"):
            await house.review.approve(item["id"], robin, version)
        version = (await house.review.claim(item["id"], kim))["version"]
        await house.review.approve(item["id"], kim, version)


async def test_a_new_message_makes_the_draft_stale_and_the_old_version_useless(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item = await held(house)
        version = (await house.review.claim(item["id"], staff))["version"]
        await house.say(conversation, "it was in June")
        with pytest.raises(Conflict, match="wrote again"):
            await house.review.approve(item["id"], staff, version)
        seen = await house.review.detail(item["id"])
        assert seen["stale"] is True
        assert seen["conversation"][-1]["text"] == "it was in June"
        await house.review.edit(item["id"], staff, seen["version"], "Noted: June.", None)
        assert (await house.kinds(conversation)).count("message") == 1
        assert await house.run_turns() == 0


async def test_a_text_the_gate_refuses_needs_a_reason_and_the_role(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item = await held(house)
        version = (await house.review.claim(item["id"], staff))["version"]
        with pytest.raises(GateRefuses) as refused:
            await house.review.edit(item["id"], staff, version, "You idiot.", None)
        assert refused.value.extra["reasons"][0]["code"] == "toxic"
        assert (await house.kinds(conversation))[-1] == "held"
        await house.review.edit(item["id"], staff, version, "You idiot.", "quoting the review")
        assert (await house.kinds(conversation))[-1] == "message"

        agent = await house.on_duty("Agent", "agent")
        other = await house.start()
        await house.staff.take_over(other, agent, None)
        with pytest.raises(NotAllowed, match="may not override"):
            await house.staff.reply(other, agent, "You idiot.", "because")


async def test_rejecting_needs_a_reason_and_sends_the_reply(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item = await held(house)
        version = (await house.review.claim(item["id"], staff))["version"]
        with pytest.raises(BadInput, match="why"):
            await house.review.reject(item["id"], staff, version, " ", "Sorry, no.", None)
        await house.review.reject(item["id"], staff, version, "wrong", "Sorry, no.", None)
        assert (await house.events(conversation))[-1][2]["message"]["text"] == "Sorry, no."


async def test_a_redraft_writes_another_answer_for_the_same_question(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        _, item = await held(house)
        version = (await house.review.claim(item["id"], staff))["version"]
        await house.review.redraft(item["id"], staff, version)
        await house.run_turns()
        again = await house.open_items()
        assert len(again) == 1
        assert again[0]["id"] != item["id"]
        assert again[0]["question"] == item["question"]


async def test_a_takeover_withdraws_the_held_draft(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item = await held(house)
        version = (await house.review.claim(item["id"], staff))["version"]
        await house.staff.take_over(conversation, staff, None)
        with pytest.raises(Conflict, match="withdrawn already"):
            await house.review.approve(item["id"], staff, version)


async def test_many_reviewers_resolve_every_item_exactly_once(tmp_path: Path) -> None:
    """Invariant 4, small; `make test-full` runs 2,000 items."""
    async with open_house(tmp_path) as house:
        reviewers = [await house.on_duty(f"R{n}") for n in range(5)]
        conversations = [(await held(house, f"review {n}"))[0] for n in range(12)]

        async def work(staff) -> int:
            resolved = 0
            for item in await house.open_items():
                try:
                    version = (await house.review.claim(item["id"], staff))["version"]
                    await house.review.approve(item["id"], staff, version)
                    resolved += 1
                except DeskgateError:
                    continue
            return resolved

        counts = await asyncio.gather(*(work(staff) for staff in reviewers))
        assert sum(counts) == 12
        for conversation in conversations:
            assert (await house.kinds(conversation)).count("message") == 1
