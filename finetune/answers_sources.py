"""Rows from real help texts: a FAQ collection and help-centre articles.

Every answer is made of sentences of its passage, so numbers stay what they are.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from chatbot.answering.citations import with_marks
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.sentences import split_sentences
from finetune.answers_rows import AnswerRow, PassageText
from finetune.synthesis import COMPANIES, noisy
from knowledge_base.article import Article, article_from
from knowledge_base.chunking import chunk
from knowledge_base.plain import plain_text

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
        near = sorted(others, key=lambda c: -overlap(topic, c.text + " " + c.heading))[:8]
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


def words(text: str) -> set[str]:
    """Stems of the words that carry meaning."""
    return {word[:6] for word in _WORD.findall(text.lower()) if word not in _STOP}


def overlap(query: str, text: str) -> float:
    """Share of the query's words that the text has."""
    wanted = words(query)
    return len(wanted & words(text)) / (len(wanted) or 1)


def _alike(one: str, other: str) -> bool:
    first, second = words(one), words(other)
    return len(first & second) >= 0.5 * min(len(first), len(second))
