from __future__ import annotations

import pytest

from chatbot.answering.composer import Composer
from chatbot.answering.engine import EngineFailed
from chatbot.answering.scripted import ScriptedEngine
from chatbot.types import Passage, Sentence, SentenceKind


async def composed(
    engine: ScriptedEngine, passages: list[Passage], prefix: str = ""
) -> list[Sentence]:
    composer = Composer(engine, "Larkmoor")
    return [s async for s in composer.compose("How long?", passages, (), prefix)]


@pytest.mark.parametrize("cuts", [[], [1, 5, 20, 21, 22, 23], list(range(60))])
async def test_sentences_come_with_kind_citations_and_separator(
    passages: list[Passage], cuts: list[int]
) -> None:
    text = "Two ways [1][2].\n1. Post it [1].\n2. Bring it. Would you like more?"
    sentences = await composed(ScriptedEngine(text, cuts=cuts), passages)
    assert sentences == [
        Sentence("Two ways.", SentenceKind.CLAIM, (1, 2), " "),
        Sentence("1. Post it.", SentenceKind.CLAIM, (1,), "\n"),
        Sentence("2. Bring it.", SentenceKind.CLAIM, (), "\n"),
        Sentence("Would you like more?", SentenceKind.QUESTION, (), " "),
    ]


async def test_a_released_prefix_is_continued_not_repeated(passages: list[Passage]) -> None:
    engine = ScriptedEngine("It takes 60 days [1]. Labels must be on [1].")
    sentences = await composed(engine, passages, "It takes 60 days [1].")
    assert [s.text for s in sentences] == ["Labels must be on."]
    assert engine.requests[0].prefix == "It takes 60 days [1]."


async def test_an_answer_that_repeats_itself_ends(passages: list[Passage]) -> None:
    engine = ScriptedEngine("It is free [1]. It takes 3 days [2]. It is free [2]! More. More.")
    assert [s.text for s in await composed(engine, passages)] == [
        "It is free.",
        "It takes 3 days.",
    ]


async def test_a_sentence_that_was_cut_off_is_left_out(passages: list[Passage]) -> None:
    engine = ScriptedEngine("It is free [1]. You can return it unless you")
    assert [s.text for s in await composed(engine, passages)] == ["It is free."]


async def test_nothing_follows_an_abstention(passages: list[Passage]) -> None:
    engine = ScriptedEngine("I can't find that in our help articles. But it is free.")
    sentences = await composed(engine, passages)
    assert [s.kind for s in sentences] == [SentenceKind.ABSTENTION]
    assert engine.cancelled == 1


async def test_a_crash_reaches_the_caller_after_what_was_finished(
    passages: list[Passage],
) -> None:
    seen = []
    composer = Composer(ScriptedEngine("It is free. It takes 3 days.", crash_at=20), "L")
    with pytest.raises(EngineFailed):
        async for sentence in composer.compose("?", passages):
            seen.append(sentence.text)
    assert seen == ["It is free."]


async def test_closing_the_stream_stops_the_engine(passages: list[Passage]) -> None:
    engine = ScriptedEngine("One is here. Two is here. Three is here.")
    sentences = Composer(engine, "L").compose("?", passages)
    await anext(sentences)
    await sentences.aclose()
    assert engine.cancelled == 1
