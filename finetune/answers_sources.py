"""Rows from real help texts: a FAQ collection, help-centre articles, a company's own questions.

Every answer is made of sentences of its passage, so numbers stay what they are.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from chatbot.answering.citations import with_marks
from chatbot.answering.kinds import sentence_kind
from chatbot.answering.plain import plain_text
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.sentences import split_sentences
from chatbot.errors import SetupError
from chatbot.types import HistoryMessage, SentenceKind
from finetune.answers_rows import AnswerRow, PassageText
from finetune.synthesis import COMPANIES, noisy
from knowledge_base.article import Article, article_from
from knowledge_base.chunking import chunk

Search = Callable[[str, int], Sequence[tuple[str, PassageText]]]
"""Query, count -> (article id, passage), best first: where distractors come from."""

_STEP = re.compile(r"^\d{1,2}[.)]\s+")
_WORD = re.compile(r"[a-z0-9£€$]+")
_STOP = frozenset(
    [*"a an the of to in on at for and or is are be can do does how i my me you your we our".split(),
     *"what when where which who why it its this that with if will from by as not no".split()]
)  # fmt: skip


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


def company_rows(
    questions: Path,
    articles: Sequence[Article],
    search: Search,
    *,
    company: str,
    seed: int,
    excluded: frozenset[str] = frozenset(),
    copies: int = 1,
) -> list[AnswerRow]:
    """Rows of ``{"question","articles","answer","must","history","expect"}``: the passages are
    the chunks that the answer rests on, at a random place among what ``search`` finds.

    ``excluded``: ids of articles held out for evaluation; they are never shown. ``copies``
    other arrangements of each row are made. Rows that expect no answer get the abstention.
    """
    rng = random.Random(seed)
    by_id = {article.id: article for article in articles}
    made: list[AnswerRow] = []
    for number, line in enumerate(questions.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
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
            raise SetupError(f"{questions}:{number}: not a question row ({error!r})") from None
        gold = [by_id[name] for name in content.get("articles") or () if name in by_id]
        abstains = content.get("expect", "answer") == "abstain" or not gold
        if excluded & {a.id for a in gold} or content.get("expect", "answer") not in (
            "answer",
            "abstain",
        ):
            continue
        for _ in range(copies):
            made.append(_arranged(row, [] if abstains else gold, search, excluded, rng))
    return made


def read_help_articles(path: Path, language: str = "en") -> list[Article]:
    """From JSON lines with ``lang, slug, title, text``; other languages and near-empty ones
    are left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        content = json.loads(line)
        if content.get("lang", language) == language and len(content["text"].split()) > 40:
            values = {"id": content["slug"], "title": content["title"], "text": content["text"]}
            found.append(article_from(values, "help"))
    return found


def _arranged(
    row: AnswerRow,
    gold: Sequence[Article],
    search: Search,
    excluded: frozenset[str],
    rng: random.Random,
) -> AnswerRow:
    names = {article.id for article in gold}
    count = rng.choice((2, 3, 3))
    query = " ".join([*(m.text for m in row.history if m.role == "customer"), row.question])
    found = [p for name, p in search(query, 12) if name not in names and name not in excluded]
    distractors = found[:count]
    if not gold:
        question = noisy(row.question, rng) if rng.random() < 0.15 else row.question
        rng.shuffle(distractors)
        return replace(
            row, question=question, passages=tuple(distractors), answer=ABSTENTION, kind="abstain"
        )
    chunks = [
        PassageText(article.title, part.heading, part.text)
        for article in gold
        for part in chunk(article)
    ]
    sentences = split_sentences(row.answer)
    best = [max(chunks, key=lambda c: _overlap(s, f"{c.heading} {c.text}")) for s in sentences]
    needed = list(dict.fromkeys(best))
    passages = [*needed, *distractors[: max(1, count + 1 - len(needed))]]
    rng.shuffle(passages)
    marked = []
    for sentence, source in zip(sentences, best, strict=True):
        claim = sentence_kind(sentence) is SentenceKind.CLAIM
        marked.append(with_marks(sentence, [passages.index(source) + 1] if claim else []))
    joiner = "\n" if any(_STEP.match(s) for s in sentences) else " "
    return replace(
        row,
        question=noisy(row.question, rng) if rng.random() < 0.15 else row.question,
        passages=tuple(passages),
        answer=joiner.join(marked),
        kind="follow-up" if row.history else "company",
        gold=tuple(sorted({passages.index(source) + 1 for source in best})),
    )


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
    topic = topic.strip().rstrip(".:")
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
