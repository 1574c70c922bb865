"""Turns in the database: one at a time per conversation, leased with a fencing token.

A worker that was killed, or that lost its lease, can write nothing more: every write names its
fence and reads ownership again in the sending transaction (invariants 3 and 5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatbot.conversations.holding import hold
from chatbot.conversations.hub import STAFF
from chatbot.conversations.office import Office, message_json
from chatbot.conversations.records import explain, joined, unique_citations
from chatbot.conversations.repository import Conversations
from chatbot.steps import (
    Answered,
    HandedOver,
    Held,
    Replied,
    SentenceReleased,
    Step,
    TurnRequest,
    Understood,
)
from chatbot.storage.tables import Conversation, Turn
from chatbot.types import Sentence, SentenceKind

Sampled = Callable[[str, bool], bool]
"""(turn's id, is anybody on duty) -> whether a person reads the answer first."""
HISTORY_MESSAGES = 6  # three exchanges: what a follow-up refers to, and a short prompt


class TurnLost(Exception):
    """Somebody else owns the conversation or the turn now: stop without a word."""


@dataclass(frozen=True)
class ClaimedTurn:
    turn_id: str
    conversation_id: str
    fence: int
    attempts: int
    request: TurnRequest


class TurnLedger:
    """Claims turns and writes down what their steps mean for the waiting customer."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def claim(self, sampled: Sampled = lambda turn_id, on_duty: False) -> ClaimedTurn | None:
        """The next turn to run, leased to the caller; None when there is none. ``sampled`` is
        not asked of a turn whose beginning is with the customer."""
        async with self.office.read() as rows:
            if not await rows.anything_claimable():
                return None
        async with self.office.write(wakes=()) as rows:
            turn = await rows.claimable_turn()
            if turn is None:
                return None
            turn.state = "running"
            turn.fence += 1
            turn.attempts += 1
            turn.lease_until = rows.now + self.office.settings.turn_lease_s
            request = await self._request(rows, turn, sampled)
            return ClaimedTurn(turn.id, turn.conversation_id, turn.fence, turn.attempts, request)

    async def renew(self, claimed: ClaimedTurn) -> None:
        """Keeps the lease while the turn runs. Raises TurnLost."""
        async with self.office.write(wakes=()) as rows:
            turn, _ = await self._owned(rows, claimed)
            turn.lease_until = rows.now + self.office.settings.turn_lease_s

    async def release(self, claimed: ClaimedTurn) -> None:
        """Puts a turn back (orderly shutdown): another worker resumes it at once."""
        async with self.office.write() as rows:
            turn = await rows.session.get(Turn, claimed.turn_id, with_for_update=True)
            if turn is not None and turn.state == "running" and turn.fence == claimed.fence:
                turn.state = "queued"

    async def write(self, claimed: ClaimedTurn, step: Step) -> None:
        """One step, one transaction. Raises TurnLost when the turn is not the caller's."""
        shown = () if isinstance(step, Understood) else (claimed.conversation_id, STAFF)
        async with self.office.write(wakes=shown) as rows:
            turn, conversation = await self._owned(rows, claimed)
            match step:
                case Understood():
                    self._keep_placeholders(rows, conversation, step)
                case SentenceReleased():
                    await self._sentence(rows, conversation, turn, step)
                case Replied():
                    await self._replied(rows, conversation, turn, step)
                case HandedOver():
                    await self.office.hand_over(
                        rows,
                        conversation,
                        step.released,
                        urgent=step.urgent,
                        why=step.why,
                        turn=turn,
                    )
                    self._finish(rows, turn)
                case Held():
                    await hold(self.office, rows, conversation, turn, step)
                    self._finish(rows, turn)
                case Answered():
                    await self.complete(rows, conversation, turn, explain(step))
                    self._finish(rows, turn)
            turn.lease_until = rows.now + self.office.settings.turn_lease_s

    # Steps

    def _keep_placeholders(
        self, rows: Conversations, conversation: Conversation, step: Understood
    ) -> None:
        known = rows.placeholders(conversation)
        fresh = {**known, **step.screening.placeholders}
        if fresh != known:
            rows.keep_placeholders(conversation, fresh)

    async def _sentence(
        self, rows: Conversations, conversation: Conversation, turn: Turn, step: SentenceReleased
    ) -> None:
        before = await rows.sentence_events(turn.conversation_id, turn.message_id)
        payload = {
            "message_id": turn.message_id,
            "index": len(before),
            "separator": step.sentence.separator if before else "",
            "kind": step.sentence.kind.value,
            "citations": [citation.as_json() for citation in step.released.citations],
            "provenance": dict(step.released.provenance),
        }
        await rows.append_event(conversation, "sentence", payload, step.released, turn.message_id)

    async def _replied(
        self, rows: Conversations, conversation: Conversation, turn: Turn, step: Replied
    ) -> None:
        related, seen = [], set()
        for passage in step.related:
            if passage.article not in seen:
                seen.add(passage.article)
                related.append(
                    {"article": passage.article, "title": passage.title, "url": passage.url}
                )
        if await rows.sentence_events(turn.conversation_id, turn.message_id):
            # Courtesies went out, then nothing could be claimed: close that message first.
            await self.complete(rows, conversation, turn, {})
            message_turn = None
        else:
            message_turn = turn
        await self.office.say(
            rows,
            conversation,
            step.released,
            author_kind="bot",
            author_name=self.office.company.bot_name,
            turn=message_turn,
            related=related,
        )
        self._finish(rows, turn)

    async def complete(
        self,
        rows: Conversations,
        conversation: Conversation,
        turn: Turn,
        explanation: dict[str, Any],
    ) -> None:
        """The sentences that were delivered become one complete message."""
        sent = await rows.sentence_events(turn.conversation_id, turn.message_id)
        if not sent:
            return
        message = await rows.add_message(
            conversation,
            author_kind="bot",
            author_name=self.office.company.bot_name,
            text=joined(sent),
            state="delivered",
            citations=unique_citations([c for payload in sent for c in payload["citations"]]),
            provenance={"by": "gate", "sentences": len(sent)},
            explanation=explanation,
            turn_id=turn.id,
            message_id=turn.message_id,
        )
        # Every word of it was delivered before, sentence by sentence, as Released.
        payload = {"message_id": message.id, "message": message_json(message, joined(sent))}
        await rows.append_event(conversation, "message", payload, None, message.id)
        self.office.outbox.message(rows, conversation, message)
        await rows.audit(
            conversation.id,
            "system",
            "message.complete",
            message.id,
            {"position": message.position, "text": rows.vault.digest(joined(sent))},
        )

    async def supersede(
        self, rows: Conversations, conversation: Conversation, turn: Turn, why: str
    ) -> bool:
        """Stops an active turn for good; what the customer already has becomes a message.
        True when there was such a beginning."""
        sent = await rows.sentence_events(turn.conversation_id, turn.message_id)
        await self.complete(rows, conversation, turn, {"interrupted": why})
        turn.state, turn.finished_at = "superseded", rows.now
        turn.fence += 1
        await rows.audit(conversation.id, "system", "turn.superseded", turn.id, {"why": why})
        return bool(sent)

    def _finish(self, rows: Conversations, turn: Turn) -> None:
        turn.state, turn.finished_at = "done", rows.now

    # Reading

    async def _owned(self, rows: Conversations, claimed: ClaimedTurn) -> tuple[Turn, Conversation]:
        conversation = await rows.lock(claimed.conversation_id)
        turn = await rows.session.get(Turn, claimed.turn_id, populate_existing=True)
        if (
            turn is None
            or turn.state != "running"
            or turn.fence != claimed.fence
            or conversation.state != "bot"
        ):
            raise TurnLost(claimed.turn_id)
        return turn, conversation

    async def _request(self, rows: Conversations, turn: Turn, sampled: Sampled) -> TurnRequest:
        conversation = await rows.lock(turn.conversation_id)
        placeholders = rows.placeholders(conversation)
        history = await rows.spoken(conversation, asked_from=turn.first_position)
        sent = await rows.sentence_events(turn.conversation_id, turn.message_id)
        return TurnRequest(
            question=await rows.question(turn),
            history=tuple(history[-HISTORY_MESSAGES:]),
            placeholders=placeholders,
            locale=conversation.locale,
            conversation=conversation.id,
            released=tuple(
                Sentence(
                    payload["text"],
                    SentenceKind(payload["kind"]),
                    tuple(citation["number"] for citation in payload["citations"]),
                    payload["separator"],
                )
                for payload in sent
            ),
            sampled=not sent and sampled(turn.id, await self.office.on_duty(rows)),
        )
