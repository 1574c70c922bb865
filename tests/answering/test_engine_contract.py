"""What every engine promises, whichever model writes behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from chatbot.answering.engine import (
    Engine,
    EngineBusy,
    EngineFailed,
    GenerationRequest,
    engine_status,
)
from chatbot.answering.prompt import build_segments
from chatbot.settings import Settings
from chatbot.types import Passage
from tests.answering.engines import NAMES, make_engine

CONTINUES = {"transformers", "openvino", "scripted", "openai"}  # LangChain has no way to


@pytest.fixture(scope="module", params=NAMES)
def engine(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Engine]:
    made = make_engine(request.param, settings)
    yield made
    asyncio.run(made.close())


@pytest.fixture
def asked(passages: list[Passage]) -> GenerationRequest:
    segments = build_segments("Larkmoor", passages[:1], (), "How long can I return a jacket?")
    return GenerationRequest(segments, max_new_tokens=16)


async def answer(engine: Engine, request: GenerationRequest) -> str:
    return "".join([piece async for piece in engine.stream(request)])


def test_it_says_what_it_is(engine: Engine) -> None:
    assert engine.name in NAMES
    assert engine.model_version
    assert engine_status(engine)["ok"]


async def test_a_greedy_answer_is_the_same_again(engine: Engine, asked: GenerationRequest) -> None:
    first = await answer(engine, asked)
    assert "return" in first
    assert "<|" not in first
    assert await answer(engine, asked) == first


async def test_every_piece_is_whole_characters(engine: Engine) -> None:
    segments = build_segments("L", [], (), "Repeat: 日本語 🎒 é")
    prefix = "日本語 🎒 é 日本語 🎒" if engine.name in ("transformers", "openvino") else ""
    request = GenerationRequest(segments, prefix=prefix, max_new_tokens=30)
    pieces = [piece async for piece in engine.stream(request)]
    assert pieces
    assert not any("\ufffd" in piece for piece in pieces)


async def test_a_released_prefix_is_continued_or_refused(
    engine: Engine, asked: GenerationRequest
) -> None:
    whole = await answer(engine, asked)
    start = whole[: whole.index(" ", len(whole) // 3)]
    continued = replace(asked, prefix=start, max_new_tokens=6)
    if engine.name in CONTINUES:
        rest = await answer(engine, continued)
        assert whole.startswith(start + rest[:12])
    else:
        with pytest.raises(EngineFailed, match="cannot continue"):
            await answer(engine, continued)


async def test_a_full_engine_is_busy_at_the_call_unless_the_customer_was_promised_an_answer(
    engine: Engine, asked: GenerationRequest
) -> None:
    streams = [engine.stream(asked) for _ in range(engine.max_waiting)]
    with pytest.raises(EngineBusy) as busy:
        engine.stream(asked)
    assert busy.value.retry_after_s >= 1
    with pytest.raises(EngineBusy):
        engine.ensure_room()
    promised = engine.stream(replace(asked, accepted=True))
    for stream in [*streams, promised]:
        await stream.aclose()
    await _room(engine)


async def test_it_says_how_much_it_doubts_or_that_it_cannot_tell(
    engine: Engine, asked: GenerationRequest
) -> None:
    doubt = await engine.doubt(asked)
    if engine.name in ("transformers", "openvino"):
        assert doubt is not None
        assert 0 <= doubt <= 1
    else:
        assert doubt is None
    await _room(engine)
    assert await answer(engine, asked)


async def test_closing_a_stream_frees_the_engine(engine: Engine, asked: GenerationRequest) -> None:
    long = replace(asked, max_new_tokens=1500, temperature=1.0, seed=1)
    started = time.monotonic()
    async with aclosing(engine.stream(long)) as pieces:
        await anext(pieces)
    await _room(engine)
    assert await answer(engine, asked)
    assert time.monotonic() - started < 60


async def test_a_deadline_ends_in_a_failure_not_in_half_an_answer(
    engine: Engine, asked: GenerationRequest
) -> None:
    with pytest.raises(EngineFailed, match=r"within 0\.01 s"):
        await answer(engine, replace(asked, max_new_tokens=500, deadline_s=0.01))
    await _room(engine)


async def test_answers_written_at_the_same_time_do_not_mix(
    engine: Engine, passages: list[Passage]
) -> None:
    questions = ("How long can I return a jacket?", "What does delivery cost?", "Are labels kept?")
    requests = [
        GenerationRequest(build_segments("L", passages, (), question), max_new_tokens=12)
        for question in questions
    ]
    alone = [await answer(engine, request) for request in requests]
    together = await asyncio.gather(*(answer(engine, request) for request in requests * 2))
    assert together == alone * 2


async def test_the_event_loop_is_free_while_answers_are_written(
    engine: Engine, asked: GenerationRequest
) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    heart = asyncio.create_task(beat())
    pieces = 0
    async for _ in engine.stream(asked):
        pieces += 1
    heart.cancel()
    assert beats >= pieces


@pytest.mark.parametrize("name", NAMES)
async def test_a_closed_engine_says_so(
    name: str, settings: Settings, asked: GenerationRequest
) -> None:
    engine = make_engine(name, settings)
    await engine.close()
    with pytest.raises(EngineFailed, match="closed"):
        engine.stream(replace(asked, accepted=True))


async def _room(engine: Engine) -> None:
    """Waits until nothing of what was abandoned is still counted."""
    async with asyncio.timeout(30):
        while engine.open:  # noqa: ASYNC110  an engine has no event for it
            await asyncio.sleep(0.01)
    engine.ensure_room()
