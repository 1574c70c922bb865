"""Rows as serving asks: each question with what the retriever finds for it and focus leaves.

What answers is put back where the retriever missed it, so that the model learns to answer
and not to guess; in a share of the rows it is taken away, and the answer is the abstention.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chatbot.answering.citations import with_marks
from chatbot.answering.focus import focused
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.sentences import split_sentences
from chatbot.turn import PASSAGES
from chatbot.types import HistoryMessage, Passage
from finetune.answers_rows import AnswerRow, PassageText
from finetune.centres import Centre, Question, labels
from finetune.reranker_rows import words_of
from finetune.synthesis import COMPANIES, noisy
from knowledge_base.article import Article
from knowledge_base.chunking import Chunk, chunk
from knowledge_base.encoder import TextEncoder
from knowledge_base.reranker import Reranker, place_of
from knowledge_base.retriever import Retriever
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles
from knowledge_base.units import units

TAKEN_AWAY = 0.12  # of the answerable questions, asked without the articles that answer
SHUFFLED = 0.3  # of the rows: then the best passage does not stand first
TYPED = 0.15  # of the questions, with typos
PROVED = 0.5  # of a sentence's words in a unit: the unit proves it
CERTAIN = 1.0  # score of a unit that is known to answer
_MARK = re.compile(r"\s*\[\[([^\]]+)\]\]")
_WORD = re.compile(r"\w+")


def centre_rows(
    centre: Centre,
    encoder: TextEncoder,
    reranker: Reranker,
    rng: random.Random,
    name: str = "",
    *,
    copies: int = 1,
    noise: bool = True,
) -> list[AnswerRow]:
    """``copies`` rows for each question, and some once more without what answers it. ``name`` is
    the company of the instructions, by default an invented one for each copy; ``noise`` are typing
    errors."""
    companies = [name or rng.choice(COMPANIES) for _ in range(copies)]
    with TemporaryDirectory() as folder:
        store = SnapshotStore(Path(folder))
        sync_articles(store, encoder, list(centre.articles), source="centre")
        retriever = Retriever(store, encoder, reranker=reranker)
        rows = []
        for question in centre.questions:
            found = retriever.search_all(question.queries, PASSAGES, floor=False)
            answered = _with_answer(question, found, centre)
            rows += [_row(question, answered, company, rng, noise) for company in companies]
            taken = [c for c in companies if question.evidence and rng.random() < TAKEN_AWAY]
            if taken:
                sources = {article for article, _ in question.evidence}
                found = retriever.search_all(question.queries, 3 * PASSAGES, floor=False)
                others = [p for p in found if p.article not in sources][:PASSAGES]
                silent = replace(question, answer="", evidence=(), kind="taken away")
                rows += [_row(silent, others, company, rng, noise) for company in taken]
    return [row for row in rows if row is not None]


def asked_of(rows: Sequence[dict[str, Any]], articles: Sequence[Article]) -> Centre:
    """A company whose questions are ``{"question","articles","answer","history","expect"}``."""
    chunks = [one for article in articles for one in chunk(article)]
    questions = [_asked(row, chunks) for row in rows]
    return Centre("company", tuple(articles), tuple(q for q in questions if q is not None))


def focused_row(row: AnswerRow, reranker: Reranker) -> AnswerRow:
    """A row whose passages are given, with the units that the reranker picks from them."""
    asked = "\n".join([*[m.text for m in row.history if m.role == "customer"][-1:], row.question])
    passages = []
    said = _words(row.answer)
    for number, passage in enumerate(row.as_passages(), 1):
        own = units(passage.text) or (passage.text,)
        place = place_of(passage.title, passage.heading)
        scores = reranker.score(asked, [(place, unit) for unit in own]).tolist()
        if number in row.gold:
            scores = [
                CERTAIN if len(_words(u) & said) >= 0.8 * len(_words(u)) else s
                for u, s in zip(own, scores, strict=True)
            ]
        passages.append(replace(passage, units=tuple(zip(own, scores, strict=True))))
    kept, shown = focused(passages)
    new = {int(old.article[1:]): n for n, old in enumerate(kept, 1)}
    if any(number not in new for number in row.gold):
        return row
    answer = re.sub(r"\[(\d+)\]", lambda m: f"[{new.get(int(m[1]), 0)}]", row.answer)
    return replace(
        row, passages=_texts(shown), answer=answer, gold=tuple(sorted(new[n] for n in row.gold))
    )


def _row(
    question: Question, found: Sequence[Passage], company: str, rng: random.Random, noise: bool
) -> AnswerRow | None:
    if rng.random() < SHUFFLED:
        found = rng.sample(found, len(found))
    kept, shown = focused(found)
    answer = ABSTENTION if not question.evidence else _marked(question, kept)
    if answer is None:
        return None
    typed = rng.random() < TYPED and noise
    text = noisy(question.text, rng) if typed else question.text
    return AnswerRow(
        question=text,
        passages=_texts(shown),
        answer=answer,
        history=question.history,
        kind=question.kind,
        company=company,
        gold=tuple(sorted({int(n) for n in re.findall(r"\[(\d+)\]", answer)})),
    )


def _texts(shown: Sequence[Passage]) -> tuple[PassageText, ...]:
    return tuple(PassageText(p.title, p.heading, p.text) for p in shown)


def _with_answer(question: Question, found: Sequence[Passage], centre: Centre) -> list[Passage]:
    """``found`` with every unit that answers marked as certain, and missed chunks in the place
    of the last ones."""
    if not question.evidence:
        return list(found)
    known = {one.id: one for one in centre.chunks}
    marked = []
    for passage in found:
        own = labels(question, known[passage.chunk])
        judged = tuple(
            (unit, CERTAIN if label == 1 else score)
            for (unit, score), label in zip(passage.units, own, strict=True)
        )
        marked.append(replace(passage, units=judged))
    held = {unit for p in marked for unit, score in p.units if score == CERTAIN}
    missed = [
        _passage(one, question)
        for one in centre.chunks
        if one.id not in {p.chunk for p in marked}
        and any(
            label == 1 and unit not in held
            for unit, label in zip(units(one.text), labels(question, one), strict=True)
        )
    ]
    return [*marked[: max(1, len(marked) - len(missed))], *missed]


def _passage(one: Chunk, question: Question) -> Passage:
    judged = tuple(
        (unit, CERTAIN if label == 1 else 0.0)
        for unit, label in zip(units(one.text), labels(question, one), strict=True)
    )
    return Passage(
        one.article, "0" * 12, one.id, one.title, one.heading, one.anchor, one.text, 0.5,
        units=judged,
    )  # fmt: skip


def _marked(question: Question, kept: Sequence[Passage]) -> str | None:
    """The answer with passage numbers in place of article names; None where a passage that a
    sentence rests on is not among ``kept``."""
    pieces = []
    for line in question.answer.split("\n"):
        sentences = []
        for sentence in split_sentences(line.strip()):
            names = _MARK.findall(sentence)
            plain = _MARK.sub("", sentence).strip()
            numbers = sorted({n for name in names if (n := _source(plain, name, kept))})
            if len(numbers) < len(set(names)):
                return None
            sentences.append(with_marks(plain, numbers))
        pieces.append(" ".join(sentences))
    return "\n".join(pieces)


def _source(sentence: str, article: str, kept: Sequence[Passage]) -> int:
    """1-based number of the passage whose answering units share most words; 0 for none."""
    said = _words(sentence)
    best = (0, 0)
    for number, passage in enumerate(kept, 1):
        if passage.article == article:
            own = [len(said & _words(unit)) for unit, score in passage.units if score == CERTAIN]
            best = max(best, (max(own, default=0), number))
    return best[1] if best[0] else 0


def _asked(row: dict[str, Any], chunks: Sequence[Chunk]) -> Question | None:
    """A sample row with the units that prove its answer; sentences that no unit of its articles
    proves are left out. None where nothing is left, or the row is not to be answered."""
    history = tuple(HistoryMessage(m["role"], m["text"]) for m in row["history"])
    if row["expect"] == "abstain":
        return Question(row["question"], row["type"], history, (), "", ())
    own = [
        (one.article, unit)
        for one in chunks
        if one.article in row["articles"]
        for unit in units(one.text)
    ]
    if row["expect"] != "answer" or not own:
        return None
    evidence: dict[tuple[str, str], None] = {}
    lines = []
    for line in row["answer"].split("\n"):
        sentences = []
        for sentence in filter(None, (part.strip() for part in split_sentences(line))):
            words = words_of(sentence)
            proof = max(own, key=lambda pair: len(words & words_of(pair[1])))
            if len(words & words_of(proof[1])) >= PROVED * len(words):
                evidence[proof] = None
                sentences.append(re.sub(r"([.!?]?)$", rf" [[{proof[0]}]]\1", sentence, count=1))
        lines.append(" ".join(sentences))
    answer = "\n".join(filter(None, lines))
    if not evidence:
        return None
    return Question(row["question"], row["type"], history, tuple(evidence), answer, ())


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
