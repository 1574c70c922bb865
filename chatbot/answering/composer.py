"""From a question and its passages to a stream of finished sentences."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from chatbot.answering.citations import split_marks
from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.kinds import sentence_kind
from chatbot.answering.prompt import build_segments
from chatbot.answering.sentences import SentenceStream, split_sentences
from chatbot.types import HistoryMessage, Passage, Sentence, SentenceKind

_COMPLETE = re.compile(r"[.!?…。！？:][\"'”’)\]]*$|\[\d+\]$")
_LIST_ITEM = re.compile(r"^(?:\d{1,2}[.)]|[-*•])\s")


class Composer:
    """Asks one engine for one company. ``run`` state lives in each call, so calls may overlap.

    ``deadline_s`` bounds each answer, waiting for the engine included.
    """

    def __init__(
        self,
        engine: Engine,
        company: str,
        max_new_tokens: int = 160,
        deadline_s: float = 60.0,
        canary: str = "",
    ) -> None:
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        self.engine = engine
        self.company = company
        self.max_new_tokens = max_new_tokens
        self.deadline_s = deadline_s
        self.canary = canary

    async def compose(
        self,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[HistoryMessage] = (),
        released_prefix: str = "",
        conversation: str = "",
        answers: bool = False,
    ) -> AsyncGenerator[Sentence, None]:
        """Sentences after ``released_prefix``, each as soon as it is surely finished.

        Put the prefix together with ``citations.with_marks`` where marks are known: the model
        then goes on citing. A sentence that is cut off or repeats an earlier one is left out
        and ends the answer. Closing the generator stops the engine. Raises EngineFailed.
        """
        prefix = released_prefix.rstrip()
        request = replace(
            self._request(question, passages, history, prefix, conversation), answers=answers
        )
        stream = SentenceStream()
        said = {_key(sentence) for sentence in split_sentences(prefix)}
        async with aclosing(self.engine.stream(request)) as pieces:
            async for piece in pieces:
                for raw in stream.feed(piece):
                    sentence = _sentence(raw, len(passages))
                    if _key(sentence.text) in said:
                        return
                    if sentence.text:
                        said.add(_key(sentence.text))
                        yield sentence
                    if sentence.kind is SentenceKind.ABSTENTION:
                        return
        for raw in stream.finish():
            sentence = _sentence(raw, len(passages))
            whole = _COMPLETE.search(raw.strip()) or _LIST_ITEM.match(raw.strip())
            if whole and sentence.text and _key(sentence.text) not in said:
                yield sentence

    async def doubt(
        self,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[HistoryMessage] = (),
        conversation: str = "",
    ) -> float | None:
        """How likely the model is not to answer; None where its engine cannot tell."""
        return await self.engine.doubt(self._request(question, passages, history, "", conversation))

    def _request(
        self,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[HistoryMessage],
        prefix: str,
        conversation: str,
    ) -> GenerationRequest:
        return GenerationRequest(
            segments=build_segments(self.company, passages, history, question, self.canary),
            prefix=prefix,
            max_new_tokens=self.max_new_tokens,
            deadline_s=self.deadline_s,
            conversation=conversation,
            accepted=True,
        )


def _sentence(raw: str, passages: int) -> Sentence:
    text, cited = split_marks(raw, passages)
    space = raw[: len(raw) - len(raw.lstrip())]
    return Sentence(text, sentence_kind(text), cited, "\n" if "\n" in space else " ")


def _key(sentence: str) -> str:
    """What makes two sentences the same: their words, without marks, case or punctuation."""
    text, _ = split_marks(sentence, 0)
    return " ".join(re.findall(r"\w+", text.lower()))
