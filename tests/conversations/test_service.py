"""The journey of messages through conversations, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from chatbot.answering.scripted import ScriptedEngine
from chatbot.errors import BadInput, Conflict, NotAuthenticated, NotFound, TooLarge
from chatbot.storage import audit
from chatbot.storage.tables import Event, Message
from tests.support.desk import ScriptedDesk
from tests.support.office import House, open_house


async def texts(house: House, conversation_id: str) -> list[tuple[str, str]]:
    history = await house.conversations.history(conversation_id)
    return [(m["author"]["kind"], m["text"]) for m in history["messages"]]


async def test_an_answer_arrives_sentence_by_sentence_and_then_whole(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.say(conversation, "How long do I have?")

        events = await house.events(conversation)
        assert [kind for _, kind, _ in events] == ["received", "sentence", "sentence", "message"]
        assert [position for position, _, _ in events] == [1, 2, 3, 4]
        assert events[1][2]["text"] == "You have 60 days."
        assert events[1][2]["citations"][0]["article"] == "return-window"
        assert events[3][2]["message"]["text"] == "You have 60 days. Returns are free."
        assert {c["article"] for c in events[3][2]["message"]["citations"]} == {
            "return-window",
            "return-costs",
        }


async def test_a_hostile_draft_is_held_and_the_customer_is_told(tmp_path: Path) -> None:
    desk = ScriptedDesk(ScriptedEngine("You have 60 days [1]. You idiot should know [1]."))
    async with open_house(tmp_path, desk) as house:
        await house.on_duty()
        conversation = await house.start()
        await house.say(conversation, "How long?")

        assert await house.kinds(conversation) == ["received", "sentence", "held"]
        item = (await house.open_items())[0]
        assert item["released_prefix"] == "You have 60 days."
        assert item["draft"] == "You idiot should know."
        assert item["reasons"][0]["code"] == "toxic"
        everything = str(await house.events(conversation))
        assert "idiot" not in everything


async def test_with_nobody_on_duty_the_customer_is_told_so_and_can_leave_contact(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.say(conversation, "review my ruined trip")

        assert await house.kinds(conversation) == ["received", "held", "message"]
        _, _, held = (await house.events(conversation))[1]
        assert held["on_duty"] is False
        assert held["contact_form"] is True
        with pytest.raises(BadInput, match="e-mail"):
            await house.conversations.save_contact(conversation, {"name": "A"})
        await house.conversations.save_contact(conversation, {"email": "a@example.com"})
        listed = await house.staff.listed("open", 10)
        assert listed[0]["contact"] == {"email": "a@example.com"}


async def test_the_same_idempotency_key_is_one_message(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        first = await house.conversations.accept(conversation, "hello there", "k1")
        again = await house.conversations.accept(conversation, "hello there", "k1")
        assert first == again
        with pytest.raises(Conflict, match="another text"):
            await house.conversations.accept(conversation, "something else", "k1")
        assert await house.run_turns() == 1


async def test_a_second_message_while_the_first_is_answered_is_answered_together(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.conversations.accept(conversation, "How long do I have?", None)
        claimed = await house.runner.ledger.claim()
        assert claimed is not None
        await house.conversations.accept(conversation, "for a jacket", None)
        await house.runner._one(claimed)  # its fence is old: it may not say a word
        assert await house.kinds(conversation) == ["received", "received"]

        assert await house.run_turns() == 1
        engine = house.desk.engine
        assert isinstance(engine, ScriptedEngine)
        assert engine.requests[-1].segments[-1].text == "How long do I have?\nfor a jacket"
        assert [kind for kind, _ in await texts(house, conversation)] == [
            "customer",
            "customer",
            "bot",
        ]


async def test_what_was_delivered_of_a_superseded_answer_stays_as_a_message(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.conversations.accept(conversation, "How long?", None)
        claimed = await house.runner.ledger.claim()
        assert claimed is not None
        steps = house.runner._steps(claimed)
        await house.runner.ledger.write(claimed, await anext(steps))  # understood
        await house.runner.ledger.write(claimed, await anext(steps))  # the first sentence
        await steps.aclose()
        await house.conversations.accept(conversation, "and boots?", None)
        await house.run_turns()

        said = await texts(house, conversation)
        assert said == [
            ("customer", "How long?"),
            ("bot", "You have 60 days."),
            ("customer", "and boots?"),
            ("bot", "You have 60 days. Returns are free."),
        ]


async def test_a_turn_whose_worker_died_is_resumed_once_and_keeps_what_was_delivered(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.conversations.accept(conversation, "How long?", None)
        dead = await house.runner.ledger.claim()
        assert dead is not None
        steps = house.runner._steps(dead)
        await house.runner.ledger.write(dead, await anext(steps))
        await house.runner.ledger.write(dead, await anext(steps))
        await steps.aclose()
        assert await house.runner.ledger.claim() is None  # the lease still runs
        house.clock.pass_s(house.office.settings.turn_lease_s + 1)
        assert await house.run_turns() == 1

        events = await house.events(conversation)
        assert [kind for _, kind, _ in events] == ["received", "sentence", "sentence", "message"]
        assert events[-1][2]["message"]["text"] == "You have 60 days. Returns are free."


async def test_a_takeover_silences_the_bot_at_once_and_handing_back_restores_it(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        staff = await house.on_duty("Robin")
        conversation = await house.start()
        await house.conversations.accept(conversation, "How long?", None)
        claimed = await house.runner.ledger.claim()
        assert claimed is not None
        await house.staff.take_over(conversation, staff, None)
        await house.runner._one(claimed)
        assert await house.kinds(conversation) == ["received", "joined"]

        await house.staff.reply(conversation, staff, "Robin here, 60 days.", None)
        await house.conversations.accept(conversation, "thanks", None)
        assert await house.run_turns() == 0
        await house.staff.hand_back(conversation, staff)
        await house.say(conversation, "one more thing")
        said = await texts(house, conversation)
        assert ("person", "Robin here, 60 days.") in said
        assert said[-1][0] == "bot"


async def test_only_one_agent_has_a_conversation(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        robin, kim = await house.on_duty("Robin"), await house.on_duty("Kim")
        conversation = await house.start()
        await house.staff.take_over(conversation, robin, None)
        with pytest.raises(Conflict, match="Robin has this conversation"):
            await house.staff.take_over(conversation, kim, None)
        with pytest.raises(Conflict, match="Robin"):
            await house.staff.reply(conversation, kim, "hello", None)


async def test_a_crisis_gets_the_fixed_text_and_an_urgent_handover(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        conversation = await house.start()
        await house.say(conversation, "crisis")
        _, kind, payload = (await house.events(conversation))[1]
        assert kind == "handover"
        assert payload["urgent"] is True
        assert payload["text"] == house.desk.company.texts["crisis"]
        assert (await house.staff.listed("waiting", 10))[0]["urgent"] is True


async def test_bad_messages_are_refused_with_a_reason(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        with pytest.raises(BadInput, match="empty"):
            await house.conversations.accept(conversation, "  \n\x00 ", None)
        with pytest.raises(TooLarge, match="20,000 characters; at most 4,000"):
            await house.conversations.accept(conversation, "x" * 20_000, None)
        with pytest.raises(NotFound, match="conv_nope"):
            await house.conversations.accept("conv_nope", "hi", None)
        await house.conversations.accept(conversation, "a lone \ud800 surrogate", None)
        assert await house.kinds(conversation) == ["received"]


async def test_a_token_opens_its_own_conversation_until_it_expires(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        mine = await house.conversations.start(None, None, None)
        other = await house.conversations.start(None, None, None)
        await house.conversations.authenticate(mine.conversation_id, mine.token)
        with pytest.raises(NotAuthenticated, match="does not belong"):
            await house.conversations.authenticate(mine.conversation_id, other.token)
        house.clock.pass_s(20 * 3600)
        await house.conversations.authenticate(mine.conversation_id, mine.token)  # renewed
        house.clock.pass_s(20 * 3600)
        await house.conversations.authenticate(mine.conversation_id, mine.token)
        with pytest.raises(NotAuthenticated, match="expired"):
            await house.conversations.authenticate(other.conversation_id, other.token)


async def test_closing_withdraws_what_is_held_and_writing_again_reopens(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        conversation = await house.start()
        await house.say(conversation, "review this")
        await house.conversations.close(conversation)
        assert await house.kinds(conversation) == ["received", "held", "withdrawn", "closed"]
        assert await house.open_items() == []
        await house.say(conversation, "still there?")
        assert (await house.kinds(conversation))[-1] == "message"


async def test_idle_conversations_close_but_not_while_an_answer_is_owed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.on_duty()
        idle, owed = await house.start(), await house.start()
        await house.say(idle, "How long?")
        await house.say(owed, "review this")
        house.clock.pass_s(2 * 3600)
        await house.upkeep.once()
        assert (await house.conversations.history(idle))["state"] == "closed"
        assert (await house.conversations.history(owed))["state"] == "bot"
        assert (await house.kinds(owed))[-1] == "message"  # overdue: told honestly


async def test_every_change_is_audited_and_an_altered_row_is_found(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.say(conversation, "How long?")
        async with house.office.database.read() as session:
            rows, breaks = await audit.verify(session, house.office.vault)
        assert rows >= 5
        assert breaks == []
        from sqlalchemy import text

        async with house.office.database.write() as session:
            await session.execute(
                text("UPDATE audit SET actor = 'nobody' WHERE sequence = 2 AND chain = :c"),
                {"c": conversation},
            )
        async with house.office.database.read() as session:
            _, breaks = await audit.verify(session, house.office.vault)
        assert [(b.chain, b.sequence) for b in breaks] == [(conversation, 2)]


async def test_text_is_encrypted_at_rest(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        conversation = await house.start()
        await house.say(conversation, "my secret question about marmalade")
        async with house.office.read() as rows:
            stored = [
                row.text_sealed + (row.explanation_sealed or b"")
                for row in await rows.session.scalars(select(Message))
            ]
            stored += [row.payload_sealed for row in await rows.session.scalars(select(Event))]
    assert len(stored) > 4
    stored += [file.read_bytes() for file in tmp_path.glob("chatbot.db*")]  # noqa: ASYNC240
    assert not any(b"marmalade" in content for content in stored)
