"""From exchanges to rows: the passages that serving would show, and marks where they support it.

A claim that no passage supports teaches inventing, so its exchange is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from chatbot.answering.citations import split_marks, with_marks
from chatbot.answering.focus import focused
from chatbot.answering.kinds import sentence_kind
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.sentences import split_sentences
from chatbot.safety.grounding import GroundingChecker
from chatbot.turn import PASSAGES
from chatbot.types import Passage, SentenceKind
from finetune.answers_rows import AnswerRow, PassageText
from finetune.chat_filters import Dropped
from finetune.chat_records import Exchange
from knowledge_base.article import Article
from knowledge_base.encoder import TextEncoder
from knowledge_base.query import search_queries
from knowledge_base.reranker import Reranker
from knowledge_base.retriever import Retriever
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles


@dataclass(frozen=True)
class Found:
    """A row with what it must not be parted from: its conversation and its articles."""

    row: AnswerRow
    conversation: str
    articles: tuple[str, ...]


def grounded(
    exchanges: Iterable[Exchange],
    articles: Sequence[Article],
    parts: tuple[TextEncoder, Reranker, GroundingChecker],
    company: str,
    dropped: Dropped,
) -> Iterator[Found]:
    """Rows whose every claim a shown passage supports."""
    encoder, reranker, checker = parts
    with TemporaryDirectory() as folder:
        store = SnapshotStore(Path(folder))
        if articles:
            sync_articles(store, encoder, list(articles), source="company")
        retriever = Retriever(store, encoder, reranker=reranker)
        for exchange in exchanges:
            if exchange.passages:
                given = AnswerRow(exchange.question, exchange.passages, "").as_passages()
                kept, shown = given, given
            elif articles:
                asked = [(m.role, m.text) for m in exchange.history]
                queries = search_queries(asked, exchange.question)
                kept, shown = focused(retriever.search_all(queries, PASSAGES, floor=False))
            else:
                dropped.add("no articles to answer from", exchange)
                continue
            answer = cited_answer(exchange.answer, kept, checker)
            if isinstance(answer, Unsupported):
                dropped.add("claim without a passage", exchange, answer.why)
                continue
            named = sorted(set(split_marks(answer, len(kept))[1]))
            if not named and answer != ABSTENTION:
                dropped.add("nothing that an article says", exchange)
                continue
            row = AnswerRow(
                question=exchange.question,
                passages=tuple(PassageText(p.title, p.heading, p.text) for p in shown),
                answer=answer,
                history=exchange.history,
                kind="chat",
                company=company,
                gold=tuple(named),
            )
            own = exchange.passages and [f"{p.title}\n{p.text}" for p in exchange.passages]
            sources = own or [p.article for p in kept]
            yield Found(row, exchange.conversation, tuple(sources[n - 1] for n in named))


@dataclass(frozen=True)
class Unsupported:
    why: str


def cited_answer(
    answer: str, passages: Sequence[Passage], checker: GroundingChecker
) -> str | Unsupported:
    """The answer with a mark after each claim, as the model is taught to write it."""
    if answer.strip() == ABSTENTION:
        return ABSTENTION
    lines = []
    for line in answer.split("\n"):
        sentences = []
        for raw in split_sentences(line.strip()):
            text, _ = split_marks(raw.strip(), len(passages))
            if not text:
                continue
            if sentence_kind(text) is not SentenceKind.CLAIM:
                sentences.append(text)
                continue
            result = checker.check(text, passages)
            if not result.supported:
                return Unsupported(f"{text} ({' '.join(result.problems)})")
            sentences.append(with_marks(text, result.passages[:1]))
        if sentences:
            lines.append(" ".join(sentences))
    return "\n".join(lines)
