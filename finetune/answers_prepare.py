"""``python -m finetune prepare``: the rows that the default adapter is trained on."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from finetune.answers_company import company_groups, held_out_articles
from finetune.answers_rows import AnswerRow, data_digest, write_rows
from finetune.answers_sources import article_rows, faq_groups, read_help_articles
from finetune.synthesis import flatten, synthetic_groups
from knowledge_base.readers import read_articles

FAQ = Path("dstc9_faq_kb") / "faq_train_val.csv"
HELP = Path("logingov_help") / "articles.jsonl"


def prepare_answers(
    out: Path,
    *,
    company: Path,
    company_name: str,
    data_root: Path | None = None,
    seed: int = 4,
    company_copies: int = 2,
    synthetic: int = 60,
    faq: int = 15,
    help_articles: int = 18,
) -> dict[str, Any]:
    """Writes ``out`` (JSON lines, groups together) and returns the data report.

    ``company``: a folder with articles/ and questions/train.jsonl; the articles that
    questions/dev.jsonl and test.jsonl rest on are left out. ``data_root``: a folder with the
    public FAQ and help sets, None for none. The counts are groups (``help_articles``: rows).
    """
    groups = answer_groups(
        company, company_name, data_root, seed, (company_copies, synthetic, faq, help_articles)
    )
    rows = list(flatten(groups))
    if not rows:
        raise SetupError(f"no rows: {company} has no questions/train.jsonl and all counts are 0")
    write_rows(out, rows)
    return {
        "rows": len(rows),
        "groups": len(groups),
        "abstain": sum(row.abstains for row in rows),
        "by_kind": dict(Counter(row.kind for row in rows)),
        "sha256": data_digest(rows),
    }


def answer_groups(
    company: Path,
    company_name: str,
    data_root: Path | None,
    seed: int,
    counts: tuple[int, int, int, int],
) -> list[list[AnswerRow]]:
    """Lists of rows that share their passages, in random order."""
    copies, synthetic, faq, help_articles = counts
    groups = synthetic_groups(synthetic, seed + 7, rows_per_group=9)
    questions = company / "questions"
    if copies and (questions / "train.jsonl").exists():
        trained = held_out_articles([questions / "train.jsonl"])
        held = held_out_articles([questions / "dev.jsonl", questions / "test.jsonl"])
        articles = read_articles(company / "articles", "sample").articles
        groups += company_groups(
            questions / "train.jsonl",
            [article for article in articles if article.id in trained],
            company=company_name,
            seed=seed,
            excluded=held,
            copies=copies,
        )
    if data_root is not None:
        for path in (data_root / FAQ, data_root / HELP):
            if not path.exists():
                raise SetupError(f"{path} does not exist; --data-root names the wrong folder")
        groups += faq_groups(data_root / FAQ, faq, seed + 8)
        rows = article_rows(
            read_help_articles(data_root / HELP), help_articles, seed + 9, "Login.gov"
        )
        groups += [[row] for row in rows]
    random.Random(seed + 1).shuffle(groups)
    return groups


def report_text(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=1, ensure_ascii=False)
