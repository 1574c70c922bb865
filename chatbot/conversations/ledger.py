"""Turns in the database: one at a time per conversation, leased with a fencing token.

A worker that was killed, or that lost its lease, can write nothing more: every write names its
fence and reads ownership again in the sending transaction (invariants 3 and 5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatbot.conversations.office import Office, message_json
from chatbot.conversations.repository import Conversations, as_json
from chatbot.safety.released import Draft
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
from chatbot.storage.ids import new_id
from chatbot.storage.tables import Conversation, Message, ReviewItem, Turn
from chatbot.types import Citation, Sentence, SentenceKind

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

    async def claim(
        self, sampled: Callable[[str], bool] = lambda turn_id: False
    ) -> ClaimedTurn | None:
        """The next turn to run, leased to the caller; None when there is none. ``sampled``
        says of a turn's id whether a person shall read the answer first."""
        async with self.office.read() as rows:
            if not await rows.anything_claimable():
                return None
        async with self.office.write() as rows:
            turn = await rows.claimable_turn()
            if turn is None:
                return None
            turn.state = "running"
            turn.fence += 1
            turn.attempts += 1
            turn.lease_until = rows.now + self.office.settings.turn_lease_s
            request = await self._request(rows, turn, sampled(turn.id))
            return ClaimedTurn(turn.id, turn.conversation_id, turn.fence, turn.attempts, request)

    async def renew(self, claimed: ClaimedTurn) -> None:
        """Keeps the lease while the turn runs. Raises TurnLost."""
        async with self.office.write() as rows:
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
        async with self.office.write(claimed.conversation_id) as rows:
            turn, conversation = await self._owned(rows, claimed)
            turn.lease_until = rows.now + self.office.settings.turn_lease_s
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
                    await self._held(rows, conversation, turn, step)
                case Answered():
                    await self.complete(rows, conversation, turn, explain(step))
                    self._finish(rows, turn)

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
        before = await rows.sentence_events(turn.message_id)
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
        if await rows.sentence_events(turn.message_id):
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

    async def _held(
        self, rows: Conversations, conversation: Conversation, turn: Turn, step: Held
    ) -> None:
        company = self.office.company
        sent = await rows.sentence_events(turn.message_id)
        remainder = step.draft.sentences[step.first_held :]
        draft = "".join(s.separator + s.text for s in remainder).strip()
        summary: dict[str, Any] = {
            "released_prefix": joined(sent),
            "draft": draft,
            "question": await self._question(rows, turn),
            "reasons": [as_json(reason) for reason in step.reasons],
        }
        detail: dict[str, Any] = {
            **summary,
            "first_position": turn.first_position,
            "last_position": conversation.last_position,
            "first_held": step.first_held,
            "sentences": sentences_json(step.draft, step.first_held),
            "passages": [as_json(p) | {"url": p.url} for p in step.passages],
            "route": step.route.as_json(),
            "citations": draft_citations(step),
        }
        message = await rows.add_message(
            conversation,
            author_kind="bot",
            author_name=company.bot_name,
            text=draft,
            state="held",
            turn_id=turn.id,
            message_id=turn.message_id,
        )
        on_duty = await self.office.on_duty(rows)
        rules, intent, item_id = self.office.rules, step.route.intent, new_id("item")
        target_s = rules.target_s(conversation.urgent)
        item = ReviewItem(
            id=item_id,
            conversation_id=conversation.id,
            message_id=message.id,
            turn_id=turn.id,
            state="open",
            urgent=conversation.urgent,
            priority=rules.priority_of(intent),
            team=rules.team_of(intent),
            intent=intent,
            codes=list(dict.fromkeys(reason.code.value for reason in step.reasons)),
            draft_hash=rows.vault.digest(draft) if draft else "",
            summary_sealed=rows.vault.seal_json(summary, item_id),
            detail_sealed=rows.vault.seal_json(detail, item_id),
            created_at=rows.now,
            promised_at=rows.now + target_s,
        )
        rows.session.add(item)
        await rows.session.flush()
        self.office.outbox.item(rows, item)
        conversation.waiting_since = conversation.waiting_since or rows.now
        await self.office.say_static(
            rows,
            conversation,
            "held_notice",
            kind="held",
            extra={
                "message_id": message.id,
                "expected_wait_s": target_s if on_duty else None,
                "on_duty": on_duty,
                "contact_form": not on_duty,
            },
        )
        if not on_duty:
            await self.office.admit_absence(rows, conversation)
        await rows.audit(
            conversation.id,
            "system",
            "item.open",
            item.id,
            {
                "reasons": [reason.code.value for reason in step.reasons],
                "draft": rows.vault.digest(draft),
            },
        )
        rows.tell_staff("item", item.id, "open")
        self._finish(rows, turn)

    async def complete(
        self,
        rows: Conversations,
        conversation: Conversation,
        turn: Turn,
        explanation: dict[str, Any],
    ) -> None:
        """The sentences that were delivered become one complete message."""
        sent = await rows.sentence_events(turn.message_id)
        if not sent:
            return
        citations: dict[tuple[str, str], dict[str, Any]] = {}
        for payload in sent:
            for citation in payload["citations"]:
                citations.setdefault((citation["article"], citation["anchor"]), citation)
        message = await rows.add_message(
            conversation,
            author_kind="bot",
            author_name=self.office.company.bot_name,
            text=joined(sent),
            state="delivered",
            citations=list(citations.values()),
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
        sent = await rows.sentence_events(turn.message_id)
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

    async def _question(self, rows: Conversations, turn: Turn) -> str:
        messages = await rows.messages(turn.conversation_id)
        return "\n".join(rows.text(m) for m in messages if _asks(m, turn))

    async def _request(self, rows: Conversations, turn: Turn, sampled: bool) -> TurnRequest:
        conversation = await rows.lock(turn.conversation_id)
        placeholders = rows.placeholders(conversation)
        messages = await rows.messages(turn.conversation_id)
        history = await rows.spoken(conversation, before=turn.first_position)
        sent = await rows.sentence_events(turn.message_id)
        return TurnRequest(
            question="\n".join(rows.text(m) for m in messages if _asks(m, turn)),
            history=tuple(history[-HISTORY_MESSAGES:]),
            placeholders=placeholders,
            locale=conversation.locale,
            released=tuple(
                Sentence(
                    payload["text"],
                    SentenceKind(payload["kind"]),
                    tuple(citation["number"] for citation in payload["citations"]),
                    payload["separator"],
                )
                for payload in sent
            ),
            sampled=sampled,
        )


def _asks(message: Message, turn: Turn) -> bool:
    return message.author_kind == "customer" and (message.position or 0) >= turn.first_position


def joined(sentences: list[dict[str, Any]]) -> str:
    return "".join(s["separator"] + s["text"] for s in sentences).strip()


def sentences_json(draft: Draft, first_held: int) -> list[dict[str, Any]]:
    """Each sentence with the gate's word on it, for reviewers and for the message's record."""
    return [
        {
            "text": sentence.text,
            "kind": sentence.kind.value,
            "separator": sentence.separator,
            "verdict": decision.verdict.value,
            "reasons": [as_json(reason) for reason in decision.reasons],
            "scores": {name: round(score, 4) for name, score in decision.scores.items()},
            "cited": list(sentence.cited),
            "supported_by": list(decision.supported_by),
            "released": decision.verdict.value == "release"
            and (first_held < 0 or index < first_held),
        }
        for index, (sentence, decision) in enumerate(
            zip(draft.sentences, draft.decisions, strict=True)
        )
    ]


def draft_citations(step: Held) -> list[dict[str, Any]]:
    """Passages that support a sentence of the remainder: shown if a person approves it."""
    numbers = sorted({n for d in step.draft.decisions[step.first_held :] for n in d.supported_by})
    return [Citation.of(n, step.passages[n - 1]).as_json() for n in numbers]


def explain(step: Answered) -> dict[str, Any]:
    return {
        "route": step.route.as_json(),
        "sentences": sentences_json(step.draft, -1),
        "quoted": step.quoted,
    }
