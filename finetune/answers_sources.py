"""Rows from real help texts: a FAQ collection, help-centre articles, a company's own questions.

Every answer is made of sentences of its passage, so numbers stay what they are.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chatbot.answering.citations import with_marks
from chatbot.answering.kinds import sentence_kind
from chatbot.answering.plain import plain_text
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.sentences import SentenceStream, split_sentences
from chatbot.errors import SetupError
from chatbot.types import HistoryMessage, SentenceKind
from finetune.answers_rows import AnswerRow, PassageText
from finetune.synthesis import COMPANIES, noisy
from knowledge_base.article import Article, article_from
from knowledge_base.chunking import chunk

_STEP = re.compile(r"^\d{1,2}[.)]\s+")
_WORD = re.compile(r"[a-z0-9£€$]+")
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the of to in on at for and or is are be can do does how i my me you your we our what "
        "when where which who why it its this that with if will from by as not no",
    )
)


def faq_groups(csv_file: Path, groups: int, seed: int) -> list[list[AnswerRow]]:
    """From ``domain, entity_name, question, answer`` rows (the DSTC9 knowledge snippets): two
    or three passages about one or two places, six questions, some about what was left out."""
    rng = random.Random(seed)
    by_entity: dict[str, list[dict[str, str]]] = defaultdict(list)
    with csv_file.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["entity_name"] and 4 <= len(line["answer"].split()) <= 40:
                by_entity[line["entity_name"]].append(line)
    names = sorted(name for name, lines in by_entity.items() if len(lines) >= 12)
    made = []
    for _ in range(groups if names else 0):
        entity, other = rng.sample(names, 2)
        lines = rng.sample(by_entity[entity], 12)
        said, unsaid = lines[:9], lines[9:]
        elsewhere = rng.sample(by_entity[other], 4)
        texts = [(entity, said[:5]), (entity, said[5:]), (other, elsewhere)]
        rng.shuffle(texts)
        shared = AnswerRow(
            question="",
            passages=tuple(
                PassageText(name.title(), "", " ".join(_sentence(x["answer"]) for x in part))
                for name, part in texts
            ),
            answer="",
            company=rng.choice(COMPANIES),
        )
        rows = []
        for line in rng.sample(said, 5):
            number = 1 + next(i for i, (_, part) in enumerate(texts) if line in part)
            answer = _marked(_sentence(line["answer"]), number)
            question = _about(line["question"], entity, rng)
            rows.append(
                replace(shared, question=question, answer=answer, kind="faq", gold=(number,))
            )
        line = rng.choice(unsaid)
        if not any(_alike(line["question"], kept["question"]) for kept in said):
            question = _about(line["question"], entity, rng)
            rows.append(replace(shared, question=question, answer=ABSTENTION, kind="faq-unsaid"))
        made.append(rows)
    return made


def article_rows(
    articles: Sequence[Article], rows: int, seed: int, company: str = "the service"
) -> list[AnswerRow]:
    """Questions from headings and titles, answered by the steps or first sentences below
    them; other chunks of the same articles are the distractors."""
    rng = random.Random(seed)
    chunks = [(a, c) for a in articles for c in chunk(a) if len(c.text.split()) > 15]
    made = []
    for article, part in rng.sample(chunks, min(rows, len(chunks))):
        answer = _opening(plain_text(part.text))
        if answer is None:
            continue
        topic = part.heading.split(" > ")[-1] if part.heading else article.title
        others = [c for a, c in chunks if c is not part and c.text != part.text]
        near = sorted(others, key=lambda c: -_overlap(topic, c.text + " " + c.heading))[:8]
        absent = rng.random() < 0.2
        # A near chunk of another article may hold the same words: abstain only with far ones.
        picked = rng.sample(others if absent else near, 3 if absent else 2)
        passages = [PassageText(article.title, c.heading, c.text) for c in picked]
        spot = rng.randint(0, len(passages))
        if not absent:
            passages.insert(spot, PassageText(article.title, part.heading, part.text))
        made.append(
            AnswerRow(
                question=_topic_question(topic, rng),
                passages=tuple(passages),
                answer=ABSTENTION if absent else _marked(answer, spot + 1),
                company=company,
                kind="article-unsaid" if absent else "article",
                gold=() if absent else (spot + 1,),
            )
        )
    return made


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
    related = sorted(waiting, key=lambda item: -_overlap(taken[0].row.question, _all_words(item)))
    for item in related[:6] if rng.random() < 0.7 else rng.sample(waiting, min(6, len(waiting))):
        union = list(dict.fromkeys([*passages, *item.sources]))
        if len(taken) < 4 and len(union) <= 3:
            taken.append(item)
            waiting.remove(item)
            passages = union
    query = " ".join(item.row.question for item in taken)
    near = sorted(chunks, key=lambda c: -_overlap(query, f"{c[1].title} {c[1].text}"))
    spare = [c for c in near[:8] if c not in passages]
    passages += rng.sample(spare, min(len(spare), max(0, rng.choice((3, 3, 4)) - len(passages))))
    rng.shuffle(passages)
    shown = {article for article, _ in passages}
    texts = tuple(passage for _, passage in passages)
    rows = [_cited(item, passages, rng) for item in taken]
    # Its article is not here at all, so nothing can be said; near ones make it hard.
    removed = [i.row for i in answered if not shown & {name for name, _ in i.sources}]
    removed = sorted(removed, key=lambda row: -_overlap(query, row.question))[:15]
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
        max(own, key=lambda c: _overlap(piece, f"{c[1].heading} {c[1].text}")) for piece in pieces
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


def _all_words(item: _Asked) -> str:
    return f"{item.row.question} {' '.join(p.title for _, p in item.sources)}"


def _typed(question: str, rng: random.Random) -> str:
    return noisy(question, rng) if rng.random() < 0.12 else question


def read_help_articles(path: Path, language: str = "en") -> list[Article]:
    """From JSON lines with ``lang, slug, title, text``; other languages, legal
    texts and empty ones are left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        content = json.loads(line)
        # Legal texts have no short answers.
        legal = content.get("slug") in ("privacy", "rules-of-use")
        if content.get("lang", language) == language and not legal and content["text"].strip():
            text = re.sub(r" *\{#[^}]*\}", "", content["text"])
            values = {"id": content["slug"], "title": content["title"], "text": text}
            found.append(article_from(values, "help"))
    return found


def _opening(text: str) -> str | None:
    lines = [line for line in text.split("\n") if line.strip()]
    steps = [line.strip() for line in lines if _STEP.match(line.strip())]
    if len(steps) >= 2 and sum(len(s.split()) for s in steps[:5]) <= 80:
        return "\n".join(_STEP.sub(f"{n}. ", step) for n, step in enumerate(steps[:5], 1))
    sentences = [s for s in split_sentences(text) if 5 <= len(s.split()) <= 35 and s[-1] in ".!"]
    return " ".join(sentences[:2]) if sentences else None


def _marked(answer: str, number: int) -> str:
    joiner = "\n" if "\n" in answer else " "
    return joiner.join(with_marks(sentence, [number]) for sentence in split_sentences(answer))


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text[-1] in ".!?" else f"{text}."


def _topic_question(topic: str, rng: random.Random) -> str:
    topic = re.sub(r"[#*{}]+.*", "", topic).strip().rstrip(".:")
    if topic.endswith("?"):
        return topic
    lower = topic[:1].lower() + topic[1:]
    if topic.lower().startswith("how to "):
        return f"How do I {lower[7:]}?"
    if re.match(r"(?:change|create|delete|add|set|get|use|verify|sign|reset|find)\b", lower):
        return rng.choice((f"How do I {lower}?", f"how can i {lower}", f"I want to {lower}. How?"))
    return rng.choice(
        (f"What should I know about {lower}?", f"Tell me about {lower}.", f"{topic}: what is that?")
    )


def _about(question: str, entity: str, rng: random.Random) -> str:
    named = entity.lower() in question.lower()
    question = question if named else f"{question.rstrip('?. ')} at {entity.title()}?"
    return noisy(question, rng) if rng.random() < 0.15 else question


def _words(text: str) -> set[str]:
    return {word[:6] for word in _WORD.findall(text.lower()) if word not in _STOP}


def _overlap(query: str, text: str) -> float:
    words = _words(query)
    return len(words & _words(text)) / (len(words) or 1)


def _alike(one: str, other: str) -> bool:
    first, second = _words(one), _words(other)
    return len(first & second) >= 0.5 * min(len(first), len(second))


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
