"""``python -m finetune prepare``: the rows that the default adapter is trained on."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from chatbot.company import load_company
from chatbot.errors import SetupError
from finetune.answers_augment import adversarial, augmented
from finetune.answers_focus import asked_of, centre_rows, focused_row
from finetune.answers_rows import AnswerRow, data_digest, write_rows
from finetune.answers_sources import article_rows, faq_groups, read_help_articles
from finetune.article_questions import article_centre, readable_articles
from finetune.centres import Centre, read_centres
from finetune.chat_filters import Dropped
from finetune.data_report import data_report
from finetune.held_out import held_out, unasked
from finetune.splits import SHARES, split
from finetune.synthesis import flatten, synthetic_groups
from knowledge_base.article import Article
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.readers import read_articles
from knowledge_base.reranker import DEFAULT, Reranker

ALL = "all"
"""In place of splits."""
FEWEST = 5
"""Articles below which none are kept apart."""
FAQ = Path("dstc9_faq_kb") / "faq_train_val.csv"
HELP = Path("logingov_help") / "articles.jsonl"


@dataclass(frozen=True)
class Counts:
    """How much of each source; ``synthetic`` and ``faq`` are groups of about six rows."""

    company_copies: int = 3
    centre_copies: int = 2
    synthetic: int = 40
    faq: int = 20
    help_articles: int = 60
    articles: int = 300
    """Questions made from the company's own articles."""


def prepare_answers(
    out: Path,
    *,
    company: Path,
    company_name: str | None = None,
    data_root: Path | None = None,
    seed: int = 4,
    counts: Counts | None = None,
    files: EncoderFiles | None = None,
    reranker: Path = DEFAULT,
    augment: float = 0.0,
    adversary: float = 0.0,
    against: Sequence[Path] = (),
) -> dict[str, Any]:
    """Writes ``out`` (JSON lines in random order), ``*.dev.jsonl`` with the companies that
    nothing is trained on, and ``*.report.html`` and ``.json``; returns the report.

    ``company``: a folder with articles/, perhaps questions/train.jsonl. The articles that
    questions/dev.jsonl and test.jsonl rest on are left out; where no question is labelled, the
    articles are split, and ``*.dev.jsonl`` and ``*.test.jsonl`` ask about those that are not
    trained on. What an evaluation asks (``held_out``) is left out. ``data_root``: a folder with
    the public FAQ and help sets, None for none. ``augment`` and ``adversary`` are shares of
    further rows (``answers_augment``). Raises SetupError where nothing is left to learn from.
    """
    counts = counts or Counts()
    files = files or EncoderFiles()
    rng = random.Random(seed)
    dropped = Dropped()
    never = held_out(company, against)
    name, language = _about(company, company_name)
    encoder = TransformerEncoder(files)
    judge = Reranker.load(reranker, files)
    rows: list[AnswerRow] = []
    own = company_centre(company)
    if own and counts.company_copies:
        copies = counts.company_copies
        rows += centre_rows(own, encoder, judge, rng, name, copies=copies)
    for centre in read_centres() if counts.centre_copies else ():
        rows += centre_rows(centre, encoder, judge, rng, copies=counts.centre_copies)
    rows += [focused_row(row, judge) for row in _given(counts, data_root, seed)]
    asked: dict[str, list[AnswerRow]] = {}
    for part, articles in _article_splits(company, seed).items() if counts.articles else ():
        count = round(counts.articles * SHARES.get(part, 1.0))
        centre = article_centre(articles, count, seed, language)
        own_rng, learnt = random.Random(seed + 1), part in (ALL, "train")
        asked[part] = centre_rows(centre, encoder, judge, own_rng, name, noise=learnt)
    rows += [*asked.pop(ALL, []), *asked.pop("train", [])]
    rows = list(unasked(rows, never, dropped))
    if not rows:
        raise SetupError(
            f"no rows: {company} has neither articles that customers may read nor "
            "questions/train.jsonl, and all counts are 0"
        )
    rows += [*augmented(rows, augment, seed), *adversarial(rows, adversary, seed)]
    rng.shuffle(rows)
    if counts.centre_copies:
        asked["dev"] = asked.get("dev", []) + [
            row
            for centre in read_centres(dev=True)
            for row in centre_rows(centre, encoder, judge, random.Random(seed))
        ]
    splits = {"train": rows, **{part: own for part, own in asked.items() if own}}
    for part, content in splits.items():
        write_rows(out if part == "train" else out.with_suffix(f".{part}.jsonl"), content)
    found = report(rows) | {"dropped": dict(dropped.counts.most_common())}
    found |= {f"{part}_rows": len(content) for part, content in splits.items() if part != "train"}
    data_report(out.with_suffix(".report.html"), found, dropped, splits)
    text = json.dumps(found, indent=1, ensure_ascii=False)
    out.with_suffix(".report.json").write_text(text + "\n", encoding="utf-8")
    return found


def company_centre(company: Path) -> Centre | None:
    """A company's own train questions and the articles that no evaluation question rests on."""
    train = company / "questions" / "train.jsonl"
    if not train.exists():
        return None
    held = _held_articles(company)
    articles = readable_articles(
        read_articles(company / "articles", "company").articles, date.today()
    )
    return asked_of(_rows(train), [a for a in articles if a.id not in held])


def _held_articles(company: Path) -> set[str]:
    questions = company / "questions"
    return _articles_of(questions / "dev.jsonl") | _articles_of(questions / "test.jsonl")


def _article_splits(company: Path, seed: int) -> dict[str, list[Article]]:
    """What customers may read: ALL that no evaluation question rests on, or where nobody has
    labelled any question, ``train``, ``dev`` and ``test``."""
    if not (company / "articles").is_dir():
        return {}
    found = read_articles(company / "articles", "company").articles
    held = _held_articles(company)
    articles = [a for a in readable_articles(found, date.today()) if a.id not in held]
    labelled = held or (company / "questions" / "train.jsonl").exists()
    if labelled or len(articles) < FEWEST:
        return {ALL: articles}
    names = split([(article.id,) for article in articles], seed=seed)
    return {
        part: [a for a, name in zip(articles, names, strict=True) if name == part]
        for part in SHARES
    }


def _about(company: Path, name: str | None) -> tuple[str, str]:
    """How the instructions name the company, and the language that its articles are in."""
    if name is not None and not (company / "company.toml").exists():
        return name, "en"
    about = load_company(company)
    return name or about.name, about.language


def report(rows: Sequence[AnswerRow]) -> dict[str, Any]:
    return {
        "rows": len(rows),
        "abstain": sum(row.abstains for row in rows),
        "by_kind": dict(Counter(row.kind for row in rows)),
        "sha256": data_digest(rows),
    }


def _given(counts: Counts, data_root: Path | None, seed: int) -> Iterator[AnswerRow]:
    """Rows whose passages are known: built from facts, from public FAQs and help articles."""
    yield from flatten(synthetic_groups(counts.synthetic, seed + 7, rows_per_group=6))
    if data_root is not None:
        for path in (data_root / FAQ, data_root / HELP):
            if not path.exists():
                raise SetupError(f"{path} does not exist; --data-root names the wrong folder")
        yield from flatten(faq_groups(data_root / FAQ, counts.faq, seed + 8))
        articles = read_help_articles(data_root / HELP)
        yield from article_rows(articles, counts.help_articles, seed + 9, "Login.gov")


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise SetupError(f"{path}:{number}: not JSON ({error.msg})") from None
    return rows


def _articles_of(path: Path) -> set[str]:
    """Ids of every article that an evaluation question rests on."""
    if not path.exists():
        return set()
    return {str(name) for row in _rows(path) for name in row.get("articles") or ()}
