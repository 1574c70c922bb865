"""The queue: what comes next for whom, filters, identical drafts, what is late."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chatbot.answering.scripted import ScriptedEngine
from chatbot.company import load_company
from chatbot.conversations.hub import TURNS, Hub
from chatbot.conversations.ledger import ClaimedTurn
from chatbot.errors import Conflict, SetupError
from chatbot.review.bulk import decide_alike
from chatbot.review.deciding import Stale
from chatbot.review.distance import edit_distance
from chatbot.review.repository import Filters
from chatbot.review.rules import ReviewRules
from chatbot.review.rules_file import read_rules_file
from chatbot.storage.database import Database
from knowledge_base.settings import SAMPLE_COMPANY
from tests.support.desk import ANSWER, ScriptedDesk, policy_of_words, route_to
from tests.support.office import House, open_house

RULES = """
version = 1
[always_review]
intents = ["return_policy"]
below_confidence = 0.5
share = 0.5
[targets]
answer_within_s = 120
[[late]]
after_s = 100
do = "escalate"
[[late]]
after_s = 200
do = "holding_reply"
text = "held_notice"
[[late]]
after_s = 300
do = "hand_over"
[teams.claims]
intents = ["compensation_claim"]
members = ["Kim"]
[priorities]
compensation_claim = 7
"""


def rules(house: House, tmp_path: Path, text: str = RULES) -> ReviewRules:
    path = tmp_path / "review.toml"
    path.write_text(text)
    house.office.rules = ReviewRules(house.office.settings, house.office.company.texts, path)
    return house.office.rules


async def hold(house: House, text: str = "review my trip") -> str:
    conversation = await house.start()
    await house.say(conversation, text)
    return conversation


async def test_the_next_item_is_the_most_pressing_one_of_ones_own_team(tmp_path: Path) -> None:
    desk = ScriptedDesk(route=route_to_intent)
    async with open_house(tmp_path, desk) as house:
        robin, kim = await house.on_duty("Robin", "reviewer"), await house.on_duty("Kim")
        await hold(house, "returns first")
        house.clock.pass_s(5)
        rules(house, tmp_path, RULES.replace('["return_policy"]', "[]"))
        await hold(house, "claims later, but of higher priority")
        for_kim = await house.review.claim_next(kim)
        assert for_kim is not None
        assert (for_kim["team"], for_kim["priority"]) == ("claims", 7)
        for_robin = await house.review.claim_next(robin)
        assert for_robin is not None
        assert for_robin["question"] == "returns first"
        assert await house.review.claim_next(robin) is None


def route_to_intent(text: str) -> Any:
    intent = "compensation_claim" if text.startswith("claims") else "return_policy"
    return route_to(policy_of_words("review").action, intent=intent)


async def test_reviewers_who_ask_at_once_get_different_items(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = [await house.on_duty(f"R{n}") for n in range(4)]
        for n in range(4):
            await hold(house, f"review {n}")
        found = await asyncio.gather(*(house.review.claim_next(who) for who in staff))
        assert len({item["id"] for item in found if item is not None}) == 4


async def test_an_item_whose_conversation_is_locked_for_a_moment_is_waited_for(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation = await hold(house)
        async with house.office.write() as rows:
            await rows.lock(conversation)
            claiming = asyncio.create_task(house.review.claim_next(staff))
            await asyncio.sleep(0.2)
        assert (await claiming or {})["conversation_id"] == conversation


async def test_an_assigned_item_is_left_to_its_assignee_until_it_is_late(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        lead = await house.on_duty("Lead")
        robin = await house.on_duty("Robin", "reviewer")
        kim = await house.on_duty("Kim", "reviewer")
        rules(house, tmp_path)
        await hold(house)
        item = (await house.open_items())[0]["id"]
        assigned = await house.review.assign(item, lead, (kim.id, "Kim"))
        assert assigned["assignee"] == {"id": kim.id, "name": "Kim"}
        with pytest.raises(Conflict, match="assigned to Kim"):
            await house.review.claim(item, robin)
        assert await house.review.claim_next(robin) is None
        mine = await house.review.listed(filters=Filters(mine=kim.id), staff_id=kim.id)
        assert [i["id"] for i in mine["items"]] == [item]
        assert mine["counts"]["mine"] == 1
        house.clock.pass_s(150)
        await house.upkeep.late.once()
        assert (await house.review.claim_next(robin) or {})["id"] == item


async def test_a_list_is_filtered_and_counted(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        first = await hold(house)
        await hold(house, "review another")
        await house.conversations.accept(first, "and?", None)
        stale = await house.review.listed(filters=Filters(stale=True))
        assert (stale["total"], stale["counts"]["open"], stale["counts"]["stale"]) == (1, 2, 1)
        held = await house.review.listed(filters=Filters(reason="always_review"))
        assert held["total"] == 2
        assert (await house.review.listed(filters=Filters(reason="always")))["total"] == 0
        assert held["items"][0]["identical"] == 2
        found = await house.review.listed("open", 10, 0, "another")
        assert [i["question"] for i in found["items"]] == ["review another"]


async def test_identical_drafts_are_decided_in_one_act(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversations = [await hold(house, f"review {n}") for n in range(3)]
        items = await house.open_items()
        chosen = [(item["id"], item["version"]) for item in items]
        chosen[2] = (chosen[2][0], 99)
        results = await decide_alike(house.review, chosen, staff)
        assert [r["state"] for r in results] == ["resolved", "resolved", "unchanged"]
        assert "changed since" in results[2]["detail"]
        left = (await house.open_items())[0]
        results = await decide_alike(
            house.review,
            [(left["id"], left["version"])],
            staff,
            ("wrong", "Sorry, we look into it."),
        )
        assert [r["state"] for r in results] == ["resolved"]
        for conversation in conversations:
            assert (await house.kinds(conversation)).count("message") == 1


async def test_different_drafts_are_not_decided_together(tmp_path: Path) -> None:
    answers = iter(["You have 60 days [1].", "Returns are free [2]."])
    desk = ScriptedDesk(ScriptedEngine(lambda request: next(answers)))
    async with open_house(tmp_path, desk) as house:
        staff = await house.on_duty()
        await hold(house)
        await hold(house)
        chosen = [(item["id"], item["version"]) for item in await house.open_items()]
        results = await decide_alike(house.review, chosen, staff)
        assert [r["state"] for r in results] == ["resolved", "unchanged"]
        assert "differs" in results[1]["detail"]


async def stale(
    house: House, staff: Any, desk_says: str = "review my trip"
) -> tuple[str, str, int]:
    """A conversation whose customer wrote twice after the draft; its item, claimed."""
    conversation = await hold(house, desk_says)
    await house.conversations.accept(conversation, "and boots?", None)
    await house.conversations.accept(conversation, "size 43", None)
    item = (await house.open_items())[0]
    return conversation, item["id"], (await house.review.claim(item["id"], staff))["version"]


async def test_a_stale_draft_is_not_approved_in_passing(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item, version = await stale(house, staff)
        before = await house.events(conversation)
        with pytest.raises(Stale, match="wrote again") as refused:
            await house.review.approve(item, staff, version)
        assert refused.value.extra["remedies"] == ["redraft", "edit", "although_stale"]
        assert refused.value.extra["version"] == version
        assert await house.events(conversation) == before
        bulk = await decide_alike(house.review, [(item, version)], staff)
        assert (bulk[0]["state"], "wrote again" in bulk[0]["detail"]) == ("unchanged", True)
        assert await house.run_turns() == 0


async def test_a_redraft_of_a_stale_draft_is_one_answer_to_everything(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item, version = await stale(house, staff)
        await house.review.redraft(item, staff, version)
        assert await house.run_turns() == 1
        again = (await house.open_items())[0]
        assert again["question"] == "review my trip\nand boots?\nsize 43"
        assert again["stale"] is False
        version = (await house.review.claim(again["id"], staff))["version"]
        await house.review.approve(again["id"], staff, version)
        assert await house.run_turns() == 0
        assert (await house.kinds(conversation)).count("message") == 1


async def test_a_draft_approved_although_stale_is_history_of_one_answer_to_the_rest(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty()
        conversation, item, version = await stale(house, staff)
        await house.review.approve(item, staff, version, although_stale=True)
        approved = (await house.events(conversation))[-1][2]["message"]["text"]
        assert await house.run_turns() == 1
        engine = house.desk.engine
        assert isinstance(engine, ScriptedEngine)
        asked = [(s.role, s.text) for s in engine.requests[-1].segments]
        assert asked[-1] == ("question", "and boots?\nsize 43")
        assert [text for _, text in asked if text in ("review my trip", approved)] == [
            "review my trip",
            approved,
        ]
        assert (await house.kinds(conversation)).count("message") == 2


async def test_the_rest_of_a_begun_answer_can_be_edited_but_not_redrafted(tmp_path: Path) -> None:
    desk = ScriptedDesk(ScriptedEngine("You have 60 days [1]. You idiot [1]."))
    async with open_house(tmp_path, desk) as house:
        staff = await house.on_duty()
        _, item, version = await stale(house, staff, "How long?")
        with pytest.raises(Stale) as refused:
            await house.review.approve(item, staff, version)
        assert refused.value.extra["remedies"] == ["edit", "although_stale"]
        with pytest.raises(Conflict, match="with the customer already"):
            await house.review.redraft(item, staff, version)


async def test_late_items_take_the_leads_steps_each_once(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        rules(house, tmp_path)
        conversation = await hold(house)
        assert 100 < (await house.open_items())[0]["promised_in_s"] <= 120
        house.clock.pass_s(110)
        for _ in range(2):
            await house.upkeep.late.once()
        item = (await house.open_items())[0]
        assert (item["urgent"], item["late_steps"]) == (True, 1)
        house.clock.pass_s(100)
        for _ in range(2):
            await house.upkeep.late.once()
        assert (await house.kinds(conversation)).count("message") == 1
        house.clock.pass_s(100)
        await house.upkeep.late.once()
        assert await house.open_items() == []
        kinds = await house.kinds(conversation)
        assert "withdrawn" in kinds
        assert "handover" in kinds
        assert (await house.staff.listed("waiting", 10))[0]["urgent"] is True


async def test_what_the_lead_wants_read_is_held_before_anything_streams(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        conversation = await hold(house, "How long?")
        assert "sentence" in await house.kinds(conversation)
        rules(house, tmp_path)
        conversation = await hold(house, "How long?")
        assert await house.kinds(conversation) == ["received", "held"]
        assert (await house.open_items())[0]["codes"] == ["always_review"]


async def test_an_unsure_intent_is_held_with_its_score(tmp_path: Path) -> None:
    from dataclasses import replace

    desk = ScriptedDesk(route=lambda text: replace(ANSWER, intent="x", confidence=0.3))
    async with open_house(tmp_path, desk) as house:
        await house.on_duty()
        rules(house, tmp_path)
        await hold(house, "How long?")
        reason = (await house.open_items())[0]["reasons"][0]
        assert (reason["code"], reason["score"], reason["threshold"]) == (
            "low_confidence",
            0.3,
            0.5,
        )


async def test_sampling_takes_its_share_and_decides_a_resumed_turn_alike(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        rules(house, tmp_path, RULES.replace("share = 0.5", "share = 0.02"))
        ids = [f"turn_{n}" for n in range(20_000)]
        taken = [turn for turn in ids if house.runner.sampled(turn, on_duty=True)]
        assert 0.015 < len(taken) / len(ids) < 0.025
        assert all(house.runner.sampled(turn, on_duty=True) for turn in taken)
        assert not any(house.runner.sampled(turn, on_duty=False) for turn in taken)


def test_the_sample_company_has_two_per_cent_of_its_answers_read() -> None:
    texts = load_company(SAMPLE_COMPANY).texts
    assert read_rules_file(SAMPLE_COMPANY / "review.toml", texts).always_review.share == 0.02


async def test_a_sampled_answer_is_held_whole_and_waits_only_where_somebody_is_there(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        almost_all = RULES.replace("share = 0.5", "share = 0.999999").replace('"return_policy"', "")
        rules(house, tmp_path, almost_all)
        alone = await house.start()
        await house.conversations.accept(alone, "How long?", None)
        await house.runner._one(await claimed(house))
        assert "sentence" in await house.kinds(alone)
        await house.on_duty()
        watched = await house.start()
        await house.conversations.accept(watched, "How long?", None)
        await house.runner._one(await claimed(house))
        assert await house.kinds(watched) == ["received", "held"]
        assert (await house.open_items())[0]["codes"] == ["sampled"]


async def claimed(house: House) -> ClaimedTurn:
    turn = await house.runner.ledger.claim(house.runner.sampled)
    assert turn is not None
    return turn


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("share = 0.5", "share = 5", 6, "less than or equal to 1"),
        ("share = 0.5", "shares = 0.5", 6, "did you mean 'share'"),
        ('text = "held_notice"', 'text = "held_notise"', 15, "did you mean 'held_notice'"),
        ("after_s = 200", "after_s = 50", None, "must follow in time"),
        ('do = "escalate"', 'do = "shout"', 11, "'escalate'"),
        ("version = 1", "version = 1\nversion = 2", None, "line 3"),
    ],
)
def test_a_fault_in_review_toml_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, line: int | None, words: str
) -> None:
    path = tmp_path / "review.toml"
    path.write_text(RULES.replace(before, after))
    with pytest.raises(SetupError) as found:
        read_rules_file(path, {"held_notice": ""})
    assert words in found.value.detail
    assert f"review.toml:{line}:" in found.value.detail or line is None


async def test_a_broken_edit_leaves_the_rules_before_it_in_force(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        found = rules(house, tmp_path)
        (tmp_path / "review.toml").write_text("version = 9")
        assert found.share == 0.5
        assert "review.toml:1" in (found.problem or "")
        (tmp_path / "review.toml").write_text("version = 1")
        assert (found.share, found.problem) == (0.0, None)


def test_edit_distance_counts_words() -> None:
    assert edit_distance("a b c d", "a b c d") == 0.0
    assert edit_distance("a b c d", "a x c d") == 0.25
    assert edit_distance("", "a b") == 1.0
    assert edit_distance("a b c", "a b c d e f") == 0.5
    assert edit_distance("a b c d", "b c d") == 0.25


async def test_other_workers_are_woken_and_the_own_one_not_twice(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        office, other = house.office, Hub()
        elsewhere = Database(office.settings.resolved_database_url)
        watching = [
            asyncio.create_task(other.watch(elsewhere)),
            asyncio.create_task(office.hub.watch(office.database)),
        ]
        try:
            conversation = await house.start()
            await asyncio.sleep(1.0)
            with (
                other.listening(conversation) as there,
                office.hub.listening(conversation) as here,
            ):
                await house.conversations.accept(conversation, "hello there", None)
                assert here.is_set()
                here.clear()
                await asyncio.wait_for(there.wait(), 10)
                await asyncio.sleep(1.0)
                assert not here.is_set()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            await elsewhere.close()


async def test_what_changes_nothing_for_anybody_wakes_nobody(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        with (
            house.office.hub.listening(TURNS) as turns,
            house.office.hub.listening(conversation) as customer,
        ):
            await house.conversations.accept(conversation, "hello there", None)
            assert turns.is_set() and customer.is_set()
            turns.clear()
            customer.clear()
            claimed = await house.runner.ledger.claim()
            assert claimed is not None
            await house.runner.ledger.renew(claimed)
            assert not turns.is_set() and not customer.is_set()
            await house.runner.ledger.release(claimed)
            assert turns.is_set()  # somebody else may run it now
