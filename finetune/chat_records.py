"""From records of any common shape to exchanges: what a customer asked, what was answered.

A record is a whole conversation (``messages``, ``conversation`` … with role and text), a pair
(question and answer, prompt and completion, instruction and response), a row of 'finetune
prepare', or one message of a conversation that its id names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chatbot.errors import SetupError
from chatbot.types import HistoryMessage
from finetune.answers_rows import PassageText, parsed_row
from finetune.chat_formats import Located, Unreadable

PAIRS = (
    ("question", "answer"), ("prompt", "completion"), ("instruction", "response"),
    ("instruction", "output"), ("input", "output"), ("prompt", "response"),
)  # fmt: skip
CONVERSATIONS = ("messages", "conversation", "conversations", "dialogue", "dialog", "turns")
ROLE, TEXT = (
    ("role", "from", "author", "speaker", "sender"),
    ("content", "text", "value", "message"),
)
CONVERSATION_ID = (
    "conversation_id",
    "dialogue_id",
    "dialog_id",
    "ticket_id",
    "thread_id",
    "chat_id",
)
CUSTOMER = frozenset({"user", "customer", "human", "client", "visitor", "consumer", "end-user"})
AGENT = frozenset(
    {"assistant", "agent", "bot", "gpt", "support", "representative", "rep", "person", "staff"}
)
HISTORY = 6

ACCEPTED = (
    "a pair (" + ", ".join(f"{q}+{a}" for q, a in PAIRS) + "), a conversation ("
    + ", ".join(CONVERSATIONS[:3]) + ": list of role and text), or one message a row "
    "(conversation_id, role, text)"
)  # fmt: skip


@dataclass(frozen=True)
class Exchange:
    """``passages`` are given only where the record is a finished row of our own."""

    where: str
    conversation: str
    question: str
    answer: str
    history: tuple[HistoryMessage, ...] = ()
    passages: tuple[PassageText, ...] = ()


_PLACE = re.compile(r"(?::\d+|, row \d+)\Z")


@dataclass
class Read:
    exchanges: list[Exchange] = field(default_factory=list)
    records: int = 0
    broken: list[str] = field(default_factory=list)
    """Each with its place and what to do about it."""


def read_records(records: Iterable[Located]) -> Read:
    """Never raises for a row: what is broken is listed."""
    found = Read()
    open_rows: dict[tuple[str, str], list[tuple[str, Mapping[str, Any]]]] = {}
    for where, record in records:
        found.records += 1
        try:
            if isinstance(record, Unreadable):
                raise _Broken(record.reason)
            if not isinstance(record, Mapping):
                raise _Broken(f"an object is needed, not {type(record).__name__}")
            shaped = {str(name).strip().lower(): value for name, value in record.items()}
            single = _first(shaped, CONVERSATION_ID)
            if single and _first(shaped, ROLE) and _first(shaped, TEXT):
                key = (_PLACE.sub("", where), str(shaped[single]))  # ids are a file's own
                open_rows.setdefault(key, []).append((where, shaped))
                _spoken(shaped)  # so that a broken message is named where it stands
            else:
                found.exchanges += _exchanges(where, shaped)
        except (_Broken, SetupError) as error:
            reason = error.detail if isinstance(error, SetupError) else f"{where}: {error}"
            found.broken.append(reason)
    files = Counter(conversation for _, conversation in open_rows)
    for (file, conversation), rows in open_rows.items():
        name = conversation if files[conversation] == 1 else f"{file}:{conversation}"
        messages = []
        for _, row in rows:
            try:
                messages.append(_spoken(row))
            except _Broken:
                continue  # listed above
        found.exchanges += _pairs(rows[0][0], name, messages)
    return found


class _Broken(Exception):
    pass


def _exchanges(where: str, record: Mapping[str, Any]) -> Iterator[Exchange]:
    if "passages" in record and "question" in record:
        row = parsed_row(dict(record), where)
        yield Exchange(where, where, row.question, row.answer, row.history, row.passages)
        return
    for name in CONVERSATIONS:
        if name in record:
            messages = record[name]
            if not isinstance(messages, list) or not messages:
                raise _Broken(f"{name!r} must be a list of messages with role and text")
            spoken = [_spoken(message) for message in messages]
            identity = _first(record, (*CONVERSATION_ID, "id"))
            yield from _pairs(where, str(record[identity]) if identity else where, spoken)
            return
    for question, answer in PAIRS:
        if question in record and answer in record:
            identity = _first(record, CONVERSATION_ID)
            texts = [_text(record[name], name) for name in (question, answer)]
            extra = record.get("input") if question == "instruction" else None
            asked = f"{texts[0]}\n{extra}" if isinstance(extra, str) and extra.strip() else texts[0]
            conversation = str(record[identity]) if identity else where
            yield Exchange(where, conversation, asked.strip(), texts[1].strip())
            return
    names = ", ".join(sorted(record)) or "none"
    raise _Broken(f"its columns ({names}) are not known; needed is {ACCEPTED}")


def _spoken(message: Any) -> tuple[Literal["customer", "person", ""], str]:
    """('', text) for a system message or an action, which nobody said."""
    if not isinstance(message, Mapping):
        raise _Broken(f"a message must be an object with role and text, not {message!r:.60}")
    role, text = _first(message, ROLE), _first(message, TEXT)
    if not role or not text:
        raise _Broken(f"a message needs a role ({', '.join(ROLE)}) and a text ({', '.join(TEXT)})")
    name = str(message[role]).strip().lower()
    if name in CUSTOMER:
        return "customer", _text(message[text], text)
    if name in AGENT:
        return "person", _text(message[text], text)
    if name in ("system", "action", "tool", "function", "notice"):
        return "", ""
    raise _Broken(
        f"role {message[role]!r} is not known; customers are {', '.join(sorted(CUSTOMER))}, "
        f"agents {', '.join(sorted(AGENT))}"
    )


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Broken(f"{name!r} is empty; fill it or delete the row")
    return value


def _pairs(
    where: str, conversation: str, messages: Iterable[tuple[str, str]]
) -> Iterator[Exchange]:
    """Neighbouring messages of one side are one; each answer with the question before it."""
    merged: list[tuple[str, str]] = []
    for role, text in messages:
        if not role:
            continue
        if merged and merged[-1][0] == role:
            merged[-1] = (role, f"{merged[-1][1]}\n{text.strip()}")
        else:
            merged.append((role, text.strip()))
    for place in range(1, len(merged)):
        (asked, question), (said, answer) = merged[place - 1], merged[place]
        if (asked, said) == ("customer", "person"):
            before = merged[max(0, place - 1 - HISTORY) : place - 1]
            history = tuple(HistoryMessage(r, t) for r, t in before)  # type: ignore[arg-type]
            yield Exchange(where, conversation, question, answer, history)


def _first(record: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return next((name for name in names if record.get(name) not in (None, "")), None)
