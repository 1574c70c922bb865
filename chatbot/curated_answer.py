"""An answer that staff wrote for this very question, as a turn gives it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from chatbot.answering.kinds import sentence_kind
from chatbot.answering.sentences import split_sentences
from chatbot.desk import Desk
from chatbot.drafting import Drafting
from chatbot.steps import Steps, TurnRequest
from chatbot.types import Citation, Passage, Route, Screening, Sentence, SentenceKind
from knowledge_base.curated import CuratedAnswer


class Curated(Drafting):
    """An answer that staff wrote for this very question: not generated, gated all the same.

    ``passage`` holds its words; it is cited only where it names an article (``cited``).
    """

    def __init__(
        self,
        request: TurnRequest,
        desk: Desk,
        screening: Screening,
        route: Route,
        answer: CuratedAnswer,
        cited: Passage | None,
    ) -> None:
        own = Passage(
            article=cited.article if cited else answer.id,
            version=cited.version if cited else answer.version,
            chunk=f"curated:{answer.id}",
            title=cited.title if cited else answer.questions[0],
            heading="",
            anchor="",
            text=answer.answer,
            score=1.0,
            audience=answer.audience,
        )
        super().__init__(request, desk, screening, route, (own,), screening.redacted)
        self.answer, self.cited = answer, cited

    async def run(self) -> Steps:
        """Nobody is asked whether it answers, and nothing is added: staff wrote what they wanted
        to say."""
        async for sentence in self._written():
            async for step in self._judge(sentence):
                yield step
        for step in self._closed(complete=bool(self.before)):
            yield step

    async def _written(self) -> AsyncGenerator[Sentence, None]:
        known = {sentence.text for sentence in self.request.released}
        for line in self.answer.answer.split("\n"):
            for number, text in enumerate(split_sentences(line.strip())):
                kind = sentence_kind(text.strip())
                sentence = Sentence(text.strip(), kind, (1,), " " if number else "\n")
                if sentence.text and sentence.text not in known:
                    yield sentence

    async def _citations(
        self, sentence: Sentence, supported_by: tuple[int, ...]
    ) -> tuple[Citation, ...]:
        if self.cited is None or sentence.kind is not SentenceKind.CLAIM:
            return ()
        return await self.desk.citations({1: self.cited})
