"""``company.toml``: who the bot speaks for, and the texts that may always leave."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chatbot.errors import SetupError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Every text that code refers to by id, with what is said when company.toml has none.
DEFAULT_TEXTS: Mapping[str, str] = {
    "abstain": "I can't find that in our help articles. Would you like to talk to a person?",
    "refuse": "I can only help with questions about our products and services.",
    "clarify": "Could you tell me a little more about what you need?",
    "clarify_between": "Do you mean {first} or {second}?",
    "held_notice": "A colleague is checking the answer before I send it. You can leave this open.",
    "nobody_on_duty": "Nobody from the team is here right now. Leave your contact details and "
    "we will get back to you.",
    "handover_notice": "I am handing this conversation to a colleague, who will reply here.",
    "handover_closed": "I have passed this conversation on. Nobody is here right now; leave your "
    "contact details and a colleague will get back to you.",
    "other_language": "I can only help in English. I am asking a colleague to take over.",
    "ask_order_id": "Could you tell me your order number, please?",
    "greeting_reply": "Hello! What can I help you with?",
    "thanks": "You are welcome!",
    "goodbye": "Goodbye!",
    "bot_identity": "I am an AI assistant. You can ask for a person at any time.",
    "error_notice": "Something went wrong on our side. Your message is safe.",
    "withdrawn_notice": "The answer that was being checked is no longer needed.",
    "contact_saved": "Thank you. We have your contact details and will get back to you.",
    "closed_notice": "This conversation is closed. Write again at any time to reopen it.",
    "joined_notice": "A colleague has joined the conversation.",
    "left_notice": "Your colleague has left; I am here again.",
}


class _CompanyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    bot_name: Annotated[str, Field(min_length=1, max_length=40)]
    tone: str = "friendly and clear"
    greeting: str
    ai_notice: Annotated[str, Field(min_length=10)]
    locale: str = "en"
    timezone: str = "UTC"
    opening_hours: dict[str, list[str]] = Field(default_factory=dict)
    holidays: list[date] = Field(default_factory=list)
    contact: str = ""
    privacy_url: str | None = None
    crisis_text: Annotated[str, Field(min_length=20)]
    allowed_domains: list[str] = Field(default_factory=list)
    texts: dict[str, str] = Field(default_factory=dict)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value!r} is not a time zone such as 'Europe/London'") from None
        return value

    @field_validator("opening_hours")
    @classmethod
    def _hours(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for day, hours in value.items():
            if day not in DAYS:
                raise ValueError(f"{day!r} is not one of {', '.join(DAYS)}")
            if len(hours) not in (0, 2):
                raise ValueError(f"{day} needs [opens, closes] or []")
            for clock in hours:
                time.fromisoformat(clock)
        return value


@dataclass(frozen=True)
class Company:
    """Read once at the start; a change needs a restart."""

    name: str
    bot_name: str
    tone: str
    greeting: str
    ai_notice: str
    locale: str
    contact: str
    privacy_url: str | None
    allowed_domains: tuple[str, ...]
    texts: Mapping[str, str]
    timezone: ZoneInfo
    opening_hours: Mapping[str, tuple[time, time] | None]
    holidays: frozenset[date]

    @property
    def language(self) -> str:
        return self.locale.split("-")[0].lower()

    def is_open(self, now: datetime) -> bool:
        """Within opening hours at ``now`` (aware). No table at all means always open."""
        if not self.opening_hours:
            return True
        local = now.astimezone(self.timezone)
        if local.date() in self.holidays:
            return False
        hours = self.opening_hours.get(DAYS[local.weekday()])
        return hours is not None and hours[0] <= local.time() < hours[1]


def load_company(folder: Path) -> Company:
    """Raises SetupError that names the file, the key and the reason."""
    path = folder / "company.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        file = _CompanyFile.model_validate(raw)
    except FileNotFoundError:
        raise SetupError(
            f"{path} does not exist; make a company folder with: python -m chatbot init DIR"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SetupError(f"{path}: {key}: {first['msg']}") from None
    hours = {
        day: (time.fromisoformat(span[0]), time.fromisoformat(span[1])) if span else None
        for day, span in file.opening_hours.items()
    }
    return Company(
        name=file.name,
        bot_name=file.bot_name,
        tone=file.tone,
        greeting=file.greeting,
        ai_notice=file.ai_notice,
        locale=file.locale,
        contact=file.contact,
        privacy_url=file.privacy_url,
        allowed_domains=tuple(domain.lower() for domain in file.allowed_domains),
        texts={**DEFAULT_TEXTS, **file.texts, "crisis": file.crisis_text},
        timezone=ZoneInfo(file.timezone),
        opening_hours=hours,
        holidays=frozenset(file.holidays),
    )
