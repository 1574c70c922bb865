"""Passages and true sentences about them, from help articles and from people's replies.

A row for the grounding head is a claim, the passage that it is judged against, whether the
passage supports it, and how it came about (``kind``), so that figures can be told by kind.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import frontmatter

from chatbot.answering.citations import split_marks
from chatbot.answering.kinds import sentence_kind
from chatbot.answering.sentences import split_sentences
from chatbot.errors import SetupError
from chatbot.types import Passage, SentenceKind
from knowledge_base.article import Article
from knowledge_base.chunking import chunk

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_MIN_WORDS, _MAX_WORDS = 4, 45  # shorter is no claim, longer no answer of a bot


@dataclass(frozen=True, slots=True)
class GroundingRow:
    """``label`` 1 is supported. ``kind`` is 'copy', 'paraphrase', 'human', 'answer' … for a
    supported row, the type of the corruption for an unsupported one."""

    claim: str
    passage: Passage
    label: int
    kind: str
    split: Split
    borrowed: bool = False
    """Of a public set, whose words no list of mistakes repeats."""


@dataclass(frozen=True, slots=True)
class Text:
    """A passage with true sentences about it and the passages beside it in its article."""

    passage: Passage
    neighbours: tuple[Passage, ...]
    answers: tuple[str, ...]
    """Sentences that a person wrote from this passage; empty for most."""
    split: Split
    origin: str


def sample_texts() -> list[Text]:
    """Passages of the sample company's articles.

    Only articles of the train questions are trained on, a fifth of them serves as dev here;
    those of the dev and test questions are all for the test.
    """
    folder = Path(str(files("knowledge_base") / "sample"))
    texts: list[Text] = []
    for split in SPLITS:
        path = folder / "questions" / f"{split}.jsonl"
        if not path.is_file():
            continue
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        named = sorted({article for row in rows for article in row["articles"]})
        for article in named:
            part: Split = "test"
            if split == "train":
                part = "dev" if _place(article) < 20 else "train"
            passages = _chunks(folder / "articles" / f"{article}.md")
            answers = [
                s
                for row in rows
                if row["articles"] == [article] and row.get("answer")
                for s in claims_in(row["answer"])
            ]
            for passage in passages:
                others = tuple(p for p in passages if p is not passage)
                texts.append(Text(passage, others, tuple(answers), part, "sample"))
    return texts


def logingov_texts(root: Path) -> list[Text]:
    """English Login.gov help articles (public domain)."""
    path = root / "logingov_help" / "articles.jsonl"
    texts = []
    for row in _jsonl(path):
        if row["lang"] != "en":
            continue
        article = Article(id=row["slug"].replace("/", "-"), title=row["title"], text=row["text"])
        passages = _passages(article)
        for passage in passages:
            others = tuple(p for p in passages if p is not passage)
            texts.append(Text(passage, others, (), _split_of(row["slug"]), "logingov"))
    return texts


def dstc9_texts(root: Path) -> list[Text]:
    """FAQ answers with the replies that people wrote from them (DSTC9 track 1, Apache-2.0).

    Kept apart by entity (a hotel, a restaurant), so that no wording is shared by two splits.
    """
    folder = root / "dstc9_faq_kb"
    passages: dict[tuple[str, str, int], Passage] = {}
    try:
        with (folder / "faq_train_val.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                key = (row["domain"], row["entity_id"], int(row["doc_id"]))
                name = row["entity_name"] if row["entity_id"] != "*" else row["domain"]
                article = f"{row['domain']}-{row['entity_id']}"
                passages[key] = Passage(
                    article, "0" * 12, f"{article}#{row['doc_id']}", name.title(),
                    row["question"].strip(), "", row["answer"].strip(), 1.0,
                )  # fmt: skip
    except OSError as error:
        raise SetupError(f"{folder} is needed for training ({error}); see --data-root") from None
    replies: dict[tuple[str, str, int], list[str]] = {}
    for row in _jsonl(folder / "grounded_responses_val.jsonl"):
        if len(row["knowledge"]) == 1:
            source = row["knowledge"][0]
            key = (source["domain"], str(source["entity_id"]), int(source["doc_id"]))
            replies.setdefault(key, []).extend(claims_in(row["response"]))
    by_entity: dict[str, list[Passage]] = {}
    for passage in passages.values():
        by_entity.setdefault(passage.article, []).append(passage)
    texts = []
    for key, passage in passages.items():
        others = tuple(p for p in by_entity[passage.article] if p is not passage)
        answers = tuple(dict.fromkeys(replies.get(key, ())))
        texts.append(Text(passage, others, answers, _split_of(passage.article), "dstc9"))
    return texts


def claims_in(text: str) -> list[str]:
    """Sentences of a reply that state something; list marks and citation marks left out."""
    found = []
    for sentence in split_sentences(text):
        plain = re.sub(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+", "", split_marks(sentence, 99)[0]).strip()
        fits = _MIN_WORDS <= len(plain.split()) <= _MAX_WORDS
        if fits and sentence_kind(plain) is SentenceKind.CLAIM and not plain.endswith("?"):
            found.append(plain)
    return found


def read_rows(path: Path) -> list[GroundingRow]:
    """JSONL: claim, passage {title, heading, text}, supported (bool), optional kind."""
    rows = []
    for number, row in enumerate(_jsonl(path), 1):
        try:
            place = row["passage"]
            passage = Passage(
                f"row-{number}", "0" * 12, f"row-{number}#0", str(place.get("title", "")),
                str(place.get("heading", "")), "", str(place["text"]), 1.0,
            )  # fmt: skip
            kind = str(row.get("kind", "row"))
            rows.append(
                GroundingRow(str(row["claim"]), passage, int(row["supported"]), kind, "test")
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise SetupError(
                f"{path}:{number}: 'claim', 'supported' and 'passage' with 'text' are needed "
                f"({error!r})"
            ) from None
    return rows


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except json.JSONDecodeError as error:
                        raise SetupError(f"{path}:{number}: not JSON ({error.msg})") from None
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error}") from None


def _chunks(path: Path) -> list[Passage]:
    parsed = frontmatter.load(str(path))
    return _passages(Article(id=path.stem, title=str(parsed["title"]), text=parsed.content))


def _passages(article: Article) -> list[Passage]:
    return [
        Passage(c.article, article.version, c.id, c.title, c.heading, c.anchor, c.text, 1.0)
        for c in chunk(article)
    ]


def _split_of(name: str) -> Split:
    """55, 13 and 32 of a hundred, by name, the same on every machine."""
    place = _place(name)
    return "train" if place < 55 else "dev" if place < 68 else "test"


def _place(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100


def counted(rows: Iterable[GroundingRow]) -> dict[str, int]:
    """How many rows there are of each kind."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.kind] = counts.get(row.kind, 0) + 1
    return dict(sorted(counts.items()))
