"""Questions of a help centre that nobody has labelled, made by rules from its articles.

Each is made of a title or heading and a fact below it, and its answer is words of the article. A
fact is asked for only where one unit of the section holds one of its kind (a price, a time, a
share …), so that there is one right answer; a kind that the whole help centre does not tell of
that matter is asked for too, and the answer is the abstention.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from chatbot.answering.sentences import split_sentences
from finetune.answers_augment import paraphrase
from finetune.centres import Centre, Question
from finetune.reranker_rows import words_of
from knowledge_base.article import PUBLIC, Article
from knowledge_base.chunking import Chunk
from knowledge_base.units import units

UNSAID = 0.2  # of the questions ask for what no article tells
REWORDED = 0.5  # of those that a paraphrase rule knows
MOST_WORDS = 45  # of an answer; longer sections are rarely answered by their first words
LEAST_WORDS, MOST_TOPIC_WORDS = 4, 9
OPENING_UNITS = 2
NEAR = 0.5  # of a topic's words in a unit of a fact's kind: it may tell that fact

_STEPS = re.compile(r"^1[.)] ")
_VERBS = (
    "add|apply|book|buy|cancel|change|check|choose|clean|collect|contact|create|delete|download|"
    "edit|exchange|find|fix|get|join|leave|log|make|manage|open|order|pay|place|redeem|register|"
    "remove|repair|request|reset|return|send|set|share|sign|start|stop|switch|track|transfer|"
    "update|upload|use|verify|write"
)
_ACTION = re.compile(rf"^(?:how to |how do i )?(?P<rest>(?:{_VERBS})(?:ing)?\b.*)$", re.IGNORECASE)
_CLAUSE = re.compile(
    r"(?:if|what|when|how|where|who|which|why|whether|before|after|while|please|until|no|not|only"
    r"|you|we|our|other|different|all)\b",
    re.IGNORECASE,
)
_STATEMENT = re.compile(
    r"\b(?:is|are|was|were|does|do|did|has|have|had|can|cannot|will|says|works?|arrives?)\b"
    r"|\bnot\b|n't\b",
    re.IGNORECASE,
)
_TIMES = r"minutes?|hours?|(?:working |business |calendar )?days?|weeks?|months?|years?"
_SIZES = r"kg|g|cm|mm|km|metres?|meters?|litres?|liters?|ml|MB|GB|points?|people|items?"


@dataclass(frozen=True)
class Kind:
    """A sort of fact: ``found`` marks it in a unit, ``ways`` ask for it; {of} is the topic, {unit}
    what ``found`` names so."""

    name: str
    found: re.Pattern[str]
    ways: tuple[str, ...]


KINDS = (
    Kind("price", re.compile(r"[£$€]\s?\d|\d\s?(?:EUR|USD|GBP|euros?|dollars?|pounds?)\b"),
         ("How much is it for {of}?", "What does it cost: {of}?", "Price for {of}?")),
    Kind("time", re.compile(rf"\b\d+(?:\s?(?:to|-|–)\s?\d+)?\s(?P<unit>{_TIMES})\b"),
         ("How many {unit} for {of}?", "How long is it for {of}?", "Time limit for {of}?")),
    Kind("share", re.compile(r"\d\s?%|\bper ?cent\b"),
         ("What percentage is it for {of}?", "How many percent for {of}?")),
    Kind("amount", re.compile(rf"\b\d+(?:[.,]\d+)?\s?(?P<unit>{_SIZES})\b"),
         ("How many {unit} for {of}?", "What is the limit in {unit} for {of}?")),
    Kind("address", re.compile(r"\b[\w.+-]+@[\w-]+\.\w+"),
         ("Which e-mail address is for {of}?", "Where do I write about {of}?")),
)  # fmt: skip
_SAID = re.compile(r"\b(?:prices?|costs?|fees?|times?|limits?|e-?mail)\b", re.IGNORECASE)
_TOPIC = (
    "What should I know about {of}?", "Tell me about {of}.", "{of}?", "Can you help me with {of}?",
    "I have a question about {of}.",
)  # fmt: skip
_STATEMENTS = ("{of}. What now?", "{of}. What can I do?", "{of}, what do I do?", "{of}")
_ACTIONS = ("How do I {of}?", "How can I {of}?", "I want to {of}. How?", "{of} how?")


def readable_articles(articles: Sequence[Article], day: date) -> list[Article]:
    """Those that a customer may read on that day: public, valid, not superseded."""
    old = {name for one in articles if one.valid_on(day) for name in one.supersedes}
    return [
        one
        for one in articles
        if one.audience == PUBLIC and one.valid_on(day) and one.id not in old
    ]


def article_centre(
    articles: Sequence[Article], count: int, seed: int, language: str = "en"
) -> Centre:
    """At most ``count`` questions, spread over the articles; the same for the same seed. In other
    languages than English titles and headings are asked as they stand."""
    rng = random.Random(seed)
    centre = Centre("articles", tuple(articles), ())
    made = [
        list(
            _of_article([one for one in centre.chunks if one.article == article.id], rng, language)
        )
        for article in articles
    ]
    unsaid = list(_unsaid(centre.chunks, rng)) if language == "en" else []
    rng.shuffle(unsaid)
    answered = _dealt(made, count - min(len(unsaid), round(count * UNSAID)), rng)
    share = round(len(answered) * UNSAID / (1 - UNSAID))
    return Centre("articles", tuple(articles), (*answered, *unsaid[:share]))


def _dealt(groups: Sequence[list[Question]], count: int, rng: random.Random) -> list[Question]:
    """A question of every article before a second of any."""
    order = list(groups)
    rng.shuffle(order)
    turns = max(map(len, order), default=0)
    return [group[turn] for turn in range(turns) for group in order if len(group) > turn][:count]


def _of_article(chunks: Sequence[Chunk], rng: random.Random, language: str) -> Iterator[Question]:
    found = [question for one in chunks for question in _of_chunk(one, rng, language)]
    rng.shuffle(found)
    asked: set[str] = set()
    for question in found:
        if question.text.lower() not in asked:  # a section cut in two has one heading
            asked.add(question.text.lower())
            yield question


def _of_chunk(one: Chunk, rng: random.Random, language: str) -> Iterator[Question]:
    topic = _topic(one)
    own = [unit for unit in units(one.text) if "|" not in unit]
    opening = _opening(own)
    if opening:
        text = _about(topic, rng) if language == "en" else topic
        yield _question(text, "article", one.article, opening, rng, language)
    if language != "en" or not _askable(topic):
        return
    for kind in KINDS:
        holding = [(unit, m) for unit in own if (m := kind.found.search(unit))]
        if len(holding) == 1 and _fits(holding[0][0]) and not _SAID.search(topic):
            unit, match = holding[0]
            text = _asking(kind, match.groupdict().get("unit") or "", topic, rng)
            yield _question(text, f"article {kind.name}", one.article, [unit], rng, language)


def _unsaid(chunks: Sequence[Chunk], rng: random.Random) -> Iterator[Question]:
    """What nobody tells: no unit of this kind speaks of the topic, and none of its article."""
    telling = {
        kind.name: [
            (one.article, words_of(f"{one.title} {one.heading} {unit}"))
            for one in chunks
            for unit in units(one.text)
            if kind.found.search(unit)
        ]
        for kind in KINDS
    }
    for one in chunks:
        topic = _topic(one)
        if not _askable(topic):
            continue
        wanted = words_of(topic)
        for kind in KINDS:
            known = any(
                article == one.article or len(wanted & said) >= NEAR * len(wanted)
                for article, said in telling[kind.name]
            )
            unit = "days" if kind.name == "time" else "items"
            if not known and wanted:
                text = _asking(kind, unit, topic, rng)
                yield Question(text, "article-unsaid", (), (), "", ())


def _question(
    text: str, kind: str, article: str, proofs: Sequence[str], rng: random.Random, language: str
) -> Question:
    if language == "en" and rng.random() < REWORDED:
        text = paraphrase(text, rng)
    lines = [line for proof in proofs for line in proof.split("\n")]
    marked = [_marked(line, article) for line in lines]
    answer = ("\n" if any(_STEPS.match(proof) for proof in proofs) else " ").join(marked)
    return Question(text, kind, (), tuple((article, proof) for proof in proofs), answer, ())


def _marked(line: str, article: str) -> str:
    """The mark before the full stop of each sentence."""
    sentences = split_sentences(line)
    return " ".join(re.sub(r"([.!?]?)$", rf" [[{article}]]\1", one, count=1) for one in sentences)


def _opening(own: Sequence[str]) -> list[str]:
    """A short numbered list, else the first units that stand by themselves."""
    for unit in own:
        if _STEPS.match(unit) and "\n" in unit and len(unit.split()) <= 2 * MOST_WORDS:
            return [unit]
    taken: list[str] = []
    for unit in own[:OPENING_UNITS]:
        if not _fits(unit) or len(" ".join([*taken, unit]).split()) > MOST_WORDS:
            break
        taken.append(unit)
    return taken


def _fits(unit: str) -> bool:
    return LEAST_WORDS <= len(unit.split()) <= MOST_WORDS and unit[-1:] in ".!" and "\n" not in unit


def _topic(one: Chunk) -> str:
    """The last heading; with the title where it says little alone."""
    heading = re.sub(r"[#*{}]+.*", "", one.heading.split(" > ")[-1]).strip().rstrip(".:")
    if not heading:
        return one.title.strip().rstrip(".:")
    alone = len(words_of(heading)) >= 2 or heading.endswith("?")
    return heading if alone else f"{one.title.strip()}: {_lowered(heading)}"


def _askable(topic: str) -> bool:
    """Whether a fact can be asked for of it: it names a thing or an action."""
    short = len(topic.split()) <= MOST_TOPIC_WORDS and not re.search(r"[?:,;!]", topic)
    return short and not _CLAUSE.match(topic) and not _STATEMENT.search(topic)


def _about(topic: str, rng: random.Random) -> str:
    if topic.endswith("?"):
        return topic
    action = _ACTION.match(topic)
    if action and not action["rest"].split()[0].lower().endswith("ing"):
        return _put(rng.choice(_ACTIONS), action["rest"])
    if _CLAUSE.match(topic):
        return _put("{of}?", topic)
    if _STATEMENT.search(topic):
        return _put(rng.choice(_STATEMENTS), topic)
    return _put(rng.choice(_TOPIC), topic)


def _asking(kind: Kind, unit: str, topic: str, rng: random.Random) -> str:
    plural = unit if unit in ("kg", "g", "cm", "mm", "km", "ml", "MB", "GB", "people") or (
        unit.endswith("s")) else f"{unit}s"  # fmt: skip
    return _put(rng.choice(kind.ways).replace("{unit}", plural), topic)


def _put(way: str, topic: str) -> str:
    said = way.replace("{of}", _lowered(topic))
    return said[:1].upper() + said[1:]


def _lowered(topic: str) -> str:
    """Without the capital of its beginning, where the word is no name or abbreviation."""
    first = topic.split(" ", 1)[0]
    return topic[:1].lower() + topic[1:] if first[1:].islower() or len(first) == 1 else topic
