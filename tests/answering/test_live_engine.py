"""Which engine serves, and what happens when another adapter is promoted while it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chatbot.answering import choice
from chatbot.answering.choice import Chosen, choose_engine
from chatbot.answering.engine import EngineFailed, GenerationRequest, engine_status
from chatbot.answering.live import LiveEngine
from chatbot.answering.prompt import PromptSegment
from chatbot.answering.scripted import ScriptedEngine
from chatbot.errors import SetupError
from chatbot.settings import Settings, load_settings

ASKED = GenerationRequest((PromptSegment("question", "?"),))


class Promotions:
    """What the alias points to, and engines that say its name."""

    def __init__(self) -> None:
        self.serving = Path("v1")
        self.engines: list[ScriptedEngine] = []
        self.damaged: set[str] = set()

    def load(self) -> Chosen:
        name = self.serving.name
        if name in self.damaged:
            raise SetupError(f"{name} is damaged")
        engine = ScriptedEngine(f"I am {name} and say so.", delay_s=0.02, model_version=name)
        self.engines.append(engine)
        return Chosen(engine, "the test says so")


@pytest.fixture
def promotions() -> Promotions:
    return Promotions()


@pytest.fixture
async def live(promotions: Promotions) -> AsyncIterator[LiveEngine]:
    engine = LiveEngine(promotions.load, lambda: promotions.serving, poll_s=0.01)
    yield engine
    await engine.close()


async def answer(engine: LiveEngine) -> str:
    return "".join([piece async for piece in engine.stream(ASKED)])


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110  a thread changes it
            await asyncio.sleep(0.01)


async def test_a_promoted_version_answers_the_next_request(
    live: LiveEngine, promotions: Promotions
) -> None:
    assert await answer(live) == "I am v1 and say so."
    promotions.serving = Path("v2")
    await until(lambda: live.model_version == "v2")
    assert await answer(live) == "I am v2 and say so."


async def test_the_old_version_finishes_what_it_began_and_then_goes(
    live: LiveEngine, promotions: Promotions
) -> None:
    running = live.stream(ASKED)
    start = await anext(running)
    promotions.serving = Path("v2")
    await until(lambda: live.model_version == "v2")
    assert not promotions.engines[0].closed
    assert start + "".join([piece async for piece in running]) == "I am v1 and say so."
    await until(lambda: promotions.engines[0].closed)


async def test_no_request_fails_while_versions_change(
    live: LiveEngine, promotions: Promotions
) -> None:
    said: list[str] = []
    done = asyncio.Event()

    async def customer() -> None:
        while not done.is_set():
            said.append(await answer(live))

    async def promote() -> None:
        for number in range(2, 6):
            promotions.serving = Path(f"v{number}")
            await until(lambda version=f"v{number}": live.model_version == version)  # type: ignore[misc]
        done.set()

    await asyncio.gather(promote(), *(customer() for _ in range(5)))
    assert len(said) >= 5
    assert all(text.endswith("and say so.") for text in said)


async def test_a_version_that_cannot_be_loaded_leaves_the_old_one_and_is_shown(
    live: LiveEngine, promotions: Promotions
) -> None:
    promotions.damaged.add("v2")
    promotions.serving = Path("v2")
    await until(lambda: live.problem is not None)
    assert await answer(live) == "I am v1 and say so."
    status = engine_status(live)
    assert status["ok"]
    assert "v2 is damaged" in status["problem"]
    promotions.serving = Path("v3")
    await until(lambda: live.model_version == "v3")
    assert live.problem is None


async def test_a_closed_live_engine_says_so(promotions: Promotions) -> None:
    engine = LiveEngine(promotions.load, lambda: promotions.serving)
    await engine.close()
    with pytest.raises(EngineFailed, match="closed"):
        engine.stream(ASKED)


def test_auto_without_openvino_falls_back_and_says_why(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    engine = ScriptedEngine("")
    monkeypatch.setattr(
        "chatbot.answering.transformers_engine.TransformersEngine.from_settings",
        lambda settings: engine,
    )
    chosen = choose_engine(settings)
    assert chosen.engine is engine
    assert chosen.fallback
    assert "openvino-genai is not installed" in chosen.reason
    shown = engine_status(LiveEngine(lambda: chosen))
    assert shown["ok"]
    assert "pip install" in shown["problem"]


def test_openvino_asked_for_and_missing_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r"is not installed; run: .*or set CHATBOT_ENGINE"):
        choose_engine(load_settings({}, data_dir=tmp_path, engine="openvino"))


def test_a_worker_that_dies_while_it_starts_is_a_reason_to_fall_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a processor whose instructions OpenVINO needs and does not find."""
    monkeypatch.setattr("chatbot.answering.openvino_process.sys.executable", "/bin/false")
    monkeypatch.setattr(
        "chatbot.answering.transformers_engine.TransformersEngine.from_settings",
        lambda settings: ScriptedEngine(""),
    )
    chosen = choose_engine(settings)
    assert chosen.fallback
    assert "it ended while it started" in chosen.reason
