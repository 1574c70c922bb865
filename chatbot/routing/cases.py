"""Stated routes: "this message, this route", checked with the real router and policy.

The file is TOML, one ``[[case]]`` a message; the sample company's ``routes_test.toml`` says
what a case may hold. What a tone or an opening hour would change is stated in the case.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chatbot.company import Company, load_company
from chatbot.errors import BadInput
from chatbot.routing.company_entities import CompanyEntities
from chatbot.routing.hours import Closed
from chatbot.routing.language import detect_language
from chatbot.routing.model import RouterModel
from chatbot.routing.policy import RoutePolicy
from chatbot.safety.pii import find_entities, merge_entities, redact
from chatbot.safety.policy import Policy
from chatbot.settings import Settings
from chatbot.toml_lines import near
from chatbot.types import Action, HistoryMessage, Prediction, Route, Screening, Tone
from knowledge_base.encoder import EncoderFiles
from knowledge_base.query import search_queries


class Case(BaseModel):
    """One ``[[case]]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    say: str = Field(min_length=1)
    action: Action
    template: str | None = None
    intent: str | None = None
    urgent: bool | None = None
    tone: Tone = Tone.CALM
    closed: bool = False
    before: tuple[str, ...] = ()

    @field_validator("before")
    @classmethod
    def _spoken(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for line in value:
            if line.partition(": ")[0] not in ("customer", "bot"):
                raise ValueError(f"{line!r} must begin with 'customer: ' or 'bot: '")
        return value

    @property
    def history(self) -> tuple[HistoryMessage, ...]:
        found = []
        for line in self.before:
            said, _, text = line.partition(": ")
            role: Literal["customer", "bot"] = "customer" if said == "customer" else "bot"
            found.append(HistoryMessage(role, text))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Judged:
    """``wrong`` says what differs, in the words of the file; empty where the case holds."""

    line: int
    case: Case
    route: Route
    wrong: tuple[str, ...]


def read_cases(path: Path) -> list[tuple[int, Case]]:
    """Cases with their lines. Raises BadInput with ``path:line:`` and the reason."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except FileNotFoundError:
        raise BadInput(
            f"{path}: no such file; copy the sample company's routes_test.toml"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {error}") from None
    tables = raw.pop("case", None)
    if raw or not isinstance(tables, list):
        unknown = f"unknown key {next(iter(raw))!r}" if raw else "there is no [[case]]"
        raise BadInput(f"{path}: {unknown}; write each message as a [[case]] table")
    lines = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() == "[[case]]"]
    found = []
    for line, table in zip(lines, tables, strict=True):
        try:
            found.append((line, Case.model_validate(table)))
        except ValidationError as error:
            raise BadInput(f"{path}:{line}: {_reason(error)}") from None
    return found


def _reason(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}{near(key, Case.model_fields)}"
    if first["type"] == "enum":
        known = [member.value for member in (Action if key == "action" else Tone)]
        return f"{key} {first['input']!r} is not one of {', '.join(known)}"
    return f"{key}: {first['msg'].removeprefix('Value error, ')}"


class Judge:
    """Routes each case's message as a turn would, but for tone and opening hours."""

    def __init__(
        self,
        company: Company,
        router: RouterModel,
        routes: RoutePolicy,
        entities: CompanyEntities,
        policy: Policy,
    ) -> None:
        self.company, self.router, self.routes = company, router, routes
        self.entities, self.policy = entities, policy

    @classmethod
    def load(cls, folder: Path, company: Company, router: RouterModel) -> Judge:
        """With the policies in the company's folder. Raises SetupError."""
        routes = RoutePolicy.load(
            folder / "routes.toml",
            bands=router.bands,
            intents=router.intents,
            templates=company.texts.keys(),
        )
        entities = CompanyEntities.load(folder / "entities.toml", (company.language, "en"))
        return cls(company, router, routes, entities, Policy.load(folder / "policy.toml"))

    def judge(self, cases: Iterable[tuple[int, Case]]) -> list[Judged]:
        known = list(cases)
        return [self._judge(line, case, self._read(case)) for line, case in known]

    def _read(self, case: Case) -> Prediction:
        spoken = [(message.role, message.text) for message in case.history]
        *joined, _ = search_queries(spoken, case.say)
        alone, *others = self.router.predict([case.say, *joined])
        return self.routes.read_together(alone, others)

    def _judge(self, line: int, case: Case, prediction: Prediction) -> Judged:
        said = [m.text for m in case.history if m.role == "customer"]
        route = self.routes.decide(
            self._screening(case, prediction),
            prediction,
            case.history,
            company_language=self.company.language,
            remembered={e.label for text in said for e in self.entities.find(text)},
            closed=Closed(None) if case.closed else None,
        )
        wanted = {
            "action": case.action.value,
            "template": case.template,
            "intent": case.intent,
            "urgent": case.urgent,
        }
        got = {
            "action": route.action.value,
            "template": route.template,
            "intent": route.intent,
            "urgent": route.urgent,
        }
        wrong = tuple(
            f"{key} is {got[key]}, not {value}"
            for key, value in wanted.items()
            if value is not None and got[key] != value
        )
        return Judged(line, case, route, wrong)

    def _screening(self, case: Case, prediction: Prediction) -> Screening:
        patterns = find_entities(case.say, self.policy.order_ids)
        entities = merge_entities(patterns, list(prediction.entities))
        entities = self.entities.complete(
            case.say, entities, datetime.now(self.company.timezone).date()
        )
        redacted, placeholders = redact(case.say, entities, {})
        return Screening(
            text=case.say,
            redacted=redacted,
            entities=entities,
            placeholders=placeholders,
            tone=case.tone,
            scores={},
            injection=0.0,
            crisis=False,
            language=detect_language(case.say),
        )


def load_judge(settings: Settings) -> Judge:
    """Of the company that is served. Raises SetupError."""
    router = RouterModel.load(encoder=EncoderFiles(settings.encoder))
    return Judge.load(settings.company, load_company(settings.company), router)


def run_cases(settings: Settings, file: Path | None, say: Callable[[str], None]) -> tuple[int, int]:
    """Judges the cases of ``file`` (default: the company folder's) and says what is wrong.

    Returns how many are wrong, and of how many. Raises BadInput or SetupError.
    """
    path = file or settings.company / "routes_test.toml"
    cases = read_cases(path)
    judge = load_judge(settings)
    wrong = [judged for judged in judge.judge(cases) if judged.wrong]
    for judged in wrong:
        say(f"{path}:{judged.line}: {judged.case.say!r}: {'; '.join(judged.wrong)}")
        say(f"    because {judged.route.why}")
    return len(wrong), len(cases)
