"""What a message and the conversation before it say, as the rules of ``decision.py`` ask it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from chatbot.company_regex import compiled
from chatbot.routing.hours import Closed
from chatbot.routing.policy_tables import RoutesFile, SlotTable
from chatbot.types import HistoryMessage, Prediction, Screening

PLACEHOLDER = re.compile(r"<([A-Z_]+)_\d+>")
REPEATED_WORDS = 3  # "hello" twice is no question asked again
FOLLOW_UP_WORDS = 10
TELLING_WORDS = 5  # "can I change it" says too little to look anything up


@dataclass(frozen=True, slots=True)
class Turn:
    """What one decision looks at."""

    screening: Screening
    prediction: Prediction
    history: Sequence[HistoryMessage]
    company_language: str
    remembered: Collection[str] = ()
    """Labels of entities in the customer's earlier messages, beside their placeholders."""
    closed: Closed | None = None


class Evidence:
    """Answers about one turn, under the words that ``routes.toml`` declares."""

    def __init__(self, file: RoutesFile, turn: Turn) -> None:
        self.file, self.turn = file, turn
        self.text = " ".join(turn.screening.redacted.casefold().split())

    def keyword(self) -> str | None:
        """The first of the handover keywords that stands in the message as whole words."""
        text = " ".join(self.turn.screening.text.casefold().split())
        for keyword in self.file.handover.keywords:
            if re.search(rf"(?<!\w){re.escape(keyword.casefold())}(?!\w)", text):
                return keyword
        return None

    def failures(self) -> int:
        """The bot's last messages that did not help, or a question asked word for word again."""
        phrases = [p.casefold() for p in self.file.handover.failure_phrases]
        count = 0
        for message in reversed(self.turn.history):
            if message.role == "person":
                break
            if message.role == "bot":
                if not any(p in message.text.casefold() for p in phrases):
                    break
                count += 1
        now = words(self.turn.screening.redacted)
        asked = [words(m.text) for m in self.turn.history if m.role == "customer"]
        repeated = asked.count(now) if len(now) >= REPEATED_WORDS else 0
        return max(count, repeated)

    def question(self) -> bool:
        """Whether the articles may hold what is asked, even where it touches one's own order: it
        has a form of ``[general]``, or it asks for nothing to be done and is a question or goes
        on with what the bot said."""
        general = self.file.general
        if _any(general.patterns, self.text):
            return True
        if not general.questions or _any(general.own, self.text):
            return False
        return _any(general.questions, self.text) or self.follows_up()

    def telling(self) -> bool:
        """Whether it has words enough to be looked up."""
        return len(words(self.text)) >= TELLING_WORDS

    def follows_up(self) -> bool:
        """Whether it is short and the bot has said something that it may depend on."""
        spoken = any(message.role == "bot" for message in self.turn.history)
        return spoken and len(words(self.text)) <= FOLLOW_UP_WORDS

    def given(self, slot: SlotTable) -> bool:
        """Whether the message holds what the slot asks for."""
        entities = (*self.turn.screening.entities, *self.turn.prediction.entities)
        return _known(slot, (e.label for e in entities))

    def remembered(self, slot: SlotTable) -> bool:
        """Whether an earlier message of the customer held it."""
        earlier = (m.text for m in self.turn.history if m.role == "customer")
        placeholders = (label for text in earlier for label in PLACEHOLDER.findall(text))
        return _known(slot, (*self.turn.remembered, *placeholders))

    def asked(self, slot: SlotTable) -> bool:
        """Whether the bot has asked for it."""
        bot = (m.text for m in self.turn.history if m.role == "bot")
        return any(slot.asked_phrase.casefold() in text.casefold() for text in bot)

    def just_asked(self, slot: SlotTable) -> bool:
        """Whether the customer's last message was answered by asking for it."""
        said = [m.text for m in self.turn.history if m.role != "customer"]
        return bool(said) and slot.asked_phrase.casefold() in said[-1].casefold()

    def words_beside_values(self) -> int:
        """Words of the message that are no order number, name or other value."""
        return len(words(PLACEHOLDER.sub(" ", self.turn.screening.redacted)))


def words(text: str) -> list[str]:
    """Casefolded, without marks."""
    return re.findall(r"\w+", text.casefold())


def _known(slot: SlotTable, labels: Iterable[str]) -> bool:
    wanted = {label.casefold() for label in slot.labels}
    return any(label.casefold() in wanted for label in labels)


def _any(patterns: Sequence[str], text: str) -> bool:
    return any(compiled(pattern).search(text) for pattern in patterns)
