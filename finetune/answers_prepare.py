"""``python -m finetune prepare``: the rows that the default adapter is trained on."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from finetune.answers_augment import adversarial, augmented
from finetune.answers_focus import asked_of, centre_rows, focused_row
from finetune.answers_rows import AnswerRow, data_digest, write_rows
from finetune.answers_sources import article_rows, faq_groups, read_help_articles
from finetune.centres import Centre, read_centres
from finetune.synthesis import flatten, synthetic_groups
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.readers import read_articles
from knowledge_base.reranker import DEFAULT, Reranker

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


def prepare_answers(
    out: Path,
    *,
    company: Path,
    company_name: str,
    data_root: Path | None = None,
    seed: int = 4,
    counts: Counts | None = None,
    files: EncoderFiles | None = None,
    reranker: Path = DEFAULT,
    augment: float = 0.0,
    adversary: float = 0.0,
) -> dict[str, Any]:
    """Writes ``out`` (JSON lines in random order) and returns the data report; beside it
    ``*.dev.jsonl`` with the companies that nothing is trained on.

    ``company``: a folder with articles/ and questions/train.jsonl; the articles that
    questions/dev.jsonl and test.jsonl rest on are left out. ``data_root``: a folder with the
    public FAQ and help sets, None for none. ``augment`` and ``adversary`` are shares of further
    rows (``answers_augment``).
    """
    counts = counts or Counts()
    files = files or EncoderFiles()
    encoder = TransformerEncoder(files)
    judge = Reranker.load(reranker, files)
    rng = random.Random(seed)
    rows: list[AnswerRow] = []
    own = company_centre(company)
    if own and counts.company_copies:
        copies = counts.company_copies
        rows += centre_rows(own, encoder, judge, rng, company_name, copies=copies)
    for centre in read_centres() if counts.centre_copies else ():
        rows += centre_rows(centre, encoder, judge, rng, copies=counts.centre_copies)
    rows += [focused_row(row, judge) for row in _given(counts, data_root, seed)]
    if not rows:
        raise SetupError(f"no rows: {company} has no questions/train.jsonl and all counts are 0")
    rows += [*augmented(rows, augment, seed), *adversarial(rows, adversary, seed)]
    rng.shuffle(rows)
    write_rows(out, rows)
    if not counts.centre_copies:
        return report(rows)
    dev = [
        row
        for centre in read_centres(dev=True)
        for row in centre_rows(centre, encoder, judge, random.Random(seed))
    ]
    write_rows(out.with_suffix(".dev.jsonl"), dev)
    return report(rows) | {"dev_rows": len(dev)}


def company_centre(company: Path) -> Centre | None:
    """A company's own train questions and the articles that no evaluation question rests on."""
    questions = company / "questions"
    train = questions / "train.jsonl"
    if not train.exists():
        return None
    held = _articles_of(questions / "dev.jsonl") | _articles_of(questions / "test.jsonl")
    articles = read_articles(company / "articles", "company").articles
    return asked_of(_rows(train), [a for a in articles if a.id not in held])


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
