"""The cases of ``routes_cases.toml``, through the real router and the real language check."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chatbot.routing.language import detect_language
from chatbot.routing.model import DEFAULT_WEIGHTS, RouterModel
from chatbot.routing.policy import RoutePolicy
from chatbot.types import HistoryMessage, Tone
from knowledge_base.encoder import EncoderFiles
from knowledge_base.settings import SAMPLE_COMPANY
from tests.routing.helpers import screening

CASES = tomllib.loads(Path(__file__).with_name("routes_cases.toml").read_text(encoding="utf-8"))[
    "case"
]
ORDER = re.compile(r"LM-\d{7}")


@cache
def router() -> RouterModel:
    return RouterModel.load(DEFAULT_WEIGHTS, EncoderFiles())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["say"])
def test_this_message_takes_this_route(case: dict[str, Any]) -> None:
    company = tomllib.loads((SAMPLE_COMPANY / "company.toml").read_text(encoding="utf-8"))
    policy = RoutePolicy.load(
        SAMPLE_COMPANY / "routes.toml",
        bands=router().bands,
        intents=router().intents,
        templates=company["texts"].keys(),
    )
    prediction = router().predict([case["say"]])[0]
    screened = screening(
        case["say"],
        redacted=ORDER.sub("<ORDER_ID_1>", case["say"]),
        entities=prediction.entities,
        tone=Tone(case.get("tone", "calm")),
    )
    screened = replace(screened, language=detect_language(case["say"]))
    history = []
    for line in case.get("before", []):
        role, _, text = line.partition(": ")
        assert role in ("customer", "bot")
        history.append(HistoryMessage(role, text))
    route = policy.decide(screened, prediction, history, company_language=company["locale"])
    assert route.action.value == case["action"], route
    if "template" in case:
        assert route.template == case["template"], route
    if "intent" in case:
        assert route.intent == case["intent"], route
