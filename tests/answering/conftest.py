"""The base model is converted once and kept in pytest's own cache (16 s the first time)."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.answering.base_model import prepare_base_model
from chatbot.settings import Settings, load_settings
from chatbot.types import Passage


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Settings:
    data_dir = Path(request.config.cache.mkdir("answer-models"))
    return load_settings({}, data_dir=data_dir, answer_adapter="none")


@pytest.fixture(scope="session")
def base(settings: Settings) -> Path:
    return prepare_base_model(settings)


@pytest.fixture
def passages() -> list[Passage]:
    texts = {
        "Returns": "You can return a jacket within 60 days of delivery. Labels must be attached.",
        "Delivery": "Standard delivery takes 3 working days and costs £4.50.",
    }
    return [
        Passage(title.lower(), "0" * 12, f"{title.lower()}#0", title, "", "", text, 0.9)
        for title, text in texts.items()
    ]
