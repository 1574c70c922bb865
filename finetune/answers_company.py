"""Rows from a company's own questions and articles."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chatbot.answering.citations import with_marks
from chatbot.answering.kinds import sentence_kind
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.sentences import SentenceStream
from chatbot.errors import SetupError
from chatbot.types import HistoryMessage, SentenceKind
from finetune.answers_rows import AnswerRow, PassageText
from finetune.answers_sources import overlap
from finetune.synthesis import noisy
from knowledge_base.article import Article
from knowledge_base.chunking import chunk


def held_out_articles(files: Iterable[Path]) -> frozenset[str]:
    """Ids of every article that an evaluation question rests on."""
    return frozenset(
        name
        for file in files
        if file.exists()
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip()
        for name in json.loads(line).get("articles") or ()
    )


def company_groups(
    questions: Path,
    articles: Sequence[Article],
    *,
    company: str,
    seed: int,
    excluded: frozenset[str] = frozenset(),
    copies: int = 1,
) -> list[list[AnswerRow]]:
    """Rows of ``{"question","articles","answer","must","history","expect"}``, grouped about
    shared passages: the chunks that two or three related answers rest on, in random order,
    with a chunk nobody asks for; every other question is a chance to abstain.

    ``excluded``: ids of articles held out for evaluation; they are never shown. Each of the
    ``copies`` arranges all rows anew. Raises SetupError naming a broken line.
    """
    rng = random.Random(seed)
    chunks = _chunks(articles, excluded)
    asked = [_asked(line, where, company, chunks) for line, where in _lines(questions)]
    answered = [item for item in asked if item is not None and item.sources]
    absent = [item.row for item in asked if item is not None and not item.sources]
    groups = []
    for _ in range(copies):
        waiting = rng.sample(answered, len(answered))
        while waiting:
            groups.append(_company_group(waiting, answered, absent, chunks, rng))
    return groups


@dataclass(frozen=True)
class _Asked:
    """A question and, for each sentence of its answer, the (article id, chunk) it rests on."""

    row: AnswerRow
    pieces: tuple[str, ...] = ()
    sources: tuple[tuple[str, PassageText], ...] = ()


def _company_group(
    waiting: list[_Asked],
    answered: Sequence[_Asked],
    absent: Sequence[AnswerRow],
    chunks: Sequence[tuple[str, PassageText]],
    rng: random.Random,
) -> list[AnswerRow]:
    taken = [waiting.pop()]
    passages = list(dict.fromkeys(taken[0].sources))
    related = sorted(waiting, key=lambda item: -overlap(taken[0].row.question, _all_text(item)))
    for item in related[:6] if rng.random() < 0.7 else rng.sample(waiting, min(6, len(waiting))):
        union = list(dict.fromkeys([*passages, *item.sources]))
        if len(taken) < 4 and len(union) <= 3:
            taken.append(item)
            waiting.remove(item)
            passages = union
    query = " ".join(item.row.question for item in taken)
    near = sorted(chunks, key=lambda c: -overlap(query, f"{c[1].title} {c[1].text}"))
    spare = [c for c in near[:8] if c not in passages]
    passages += rng.sample(spare, min(len(spare), max(0, rng.choice((3, 3, 4)) - len(passages))))
    rng.shuffle(passages)
    shown = {article for article, _ in passages}
    texts = tuple(passage for _, passage in passages)
    rows = [_cited(item, passages, rng) for item in taken]
    # Its article is not here at all, so nothing can be said; near ones make it hard.
    removed = [i.row for i in answered if not shown & {name for name, _ in i.sources}]
    removed = sorted(removed, key=lambda row: -overlap(query, row.question))[:15]
    for row in [
        *rng.sample(absent, min(1, len(absent))),
        *rng.sample(removed, min(1, len(removed))),
    ]:
        if rng.random() < 0.55:
            rows.append(replace(row, answer=ABSTENTION, kind="abstain", must=(), gold=()))
    return [replace(row, passages=texts, question=_typed(row.question, rng)) for row in rows]


def _cited(
    item: _Asked, passages: Sequence[tuple[str, PassageText]], rng: random.Random
) -> AnswerRow:
    numbers = [passages.index(source) + 1 for source in item.sources]
    marked = []
    for piece, number in zip(item.pieces, numbers, strict=True):
        space = piece[: len(piece) - len(piece.lstrip())]
        claim = sentence_kind(piece.strip()) is SentenceKind.CLAIM
        marked.append(space + with_marks(piece.strip(), [number] if claim else []))
    return replace(
        item.row,
        answer="".join(marked).strip(),
        kind="follow-up" if item.row.history else "company",
        gold=tuple(sorted(set(numbers))),
    )


def _asked(
    line: str, where: str, company: str, chunks: Sequence[tuple[str, PassageText]]
) -> _Asked | None:
    try:
        content = json.loads(line)
        names = set(content.get("articles") or ())
        expect = content.get("expect", "answer")
        row = AnswerRow(
            question=content["question"],
            passages=(),
            answer=content.get("answer") or ABSTENTION,
            history=tuple(
                HistoryMessage(m["role"], m["text"]) for m in content.get("history") or ()
            ),
            company=company,
            must=tuple(content.get("must") or ()),
        )
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise SetupError(f"{where}: not a question row ({error!r})") from None
    if expect == "abstain" and not names:
        return _Asked(row)
    own = [c for c in chunks if c[0] in names]
    if expect != "answer" or row.abstains or not own:
        return None
    stream = SentenceStream()
    pieces = (*stream.feed(row.answer), *stream.finish())
    sources = tuple(
        max(own, key=lambda c: overlap(piece, f"{c[1].heading} {c[1].text}")) for piece in pieces
    )
    return _Asked(row, pieces, sources)


def _chunks(articles: Sequence[Article], excluded: frozenset[str]) -> list[tuple[str, PassageText]]:
    return [
        (article.id, PassageText(article.title, part.heading, part.text))
        for article in articles
        if article.id not in excluded
        for part in chunk(article)
    ]


def _lines(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip()]


def _all_text(item: _Asked) -> str:
    return f"{item.row.question} {' '.join(p.title for _, p in item.sources)}"


def _typed(question: str, rng: random.Random) -> str:
    return noisy(question, rng) if rng.random() < 0.12 else question
