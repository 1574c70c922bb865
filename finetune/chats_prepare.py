"""``finetune prepare --chats``: past conversations as rows for ``finetune answers``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from pathlib import Path
from typing import Any

from chatbot.company import load_company
from chatbot.errors import BadInput
from chatbot.safety.grounding import load_grounding
from chatbot.safety.moderation import load_moderator
from chatbot.safety.pii_tagger import PersonalTagger
from chatbot.settings import Settings
from finetune.answers_augment import adversarial, augmented
from finetune.answers_rows import AnswerRow, data_digest, write_rows
from finetune.article_questions import readable_articles
from finetune.chat_filters import Dropped, civil, distinct, fitting, scrubbed
from finetune.chat_formats import Located, read_file, read_hub
from finetune.chat_records import Exchange, Read, read_records
from finetune.chat_rows import Found, grounded
from finetune.data_report import data_report
from finetune.held_out import held_out
from finetune.splits import split
from knowledge_base.article import Article
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.readers import read_articles
from knowledge_base.reranker import DEFAULT, Reranker

SHOWN = 10  # broken rows that an error lists


@dataclass(frozen=True)
class Sources:
    files: tuple[Path, ...] = ()
    hub: tuple[str, ...] = ()
    against: tuple[Path, ...] = ()
    """Evaluation files besides the company's own: their questions are never learnt."""
    skip_broken: bool = False
    limit: int | None = None
    augment: float = 0.0
    adversarial: float = 0.0
    """Shares of further training rows (``answers_augment``)."""


def prepare_chats(
    settings: Settings, company: Path, out: Path, sources: Sources, seed: int = 1
) -> dict[str, Any]:
    """Writes ``out`` (train), ``*.dev.jsonl``, ``*.test.jsonl`` and ``*.report.html`` and
    ``.json`` beside it; returns the report. Raises BadInput naming the rows that are broken, or
    where nothing is left to learn from."""
    read = read_records(_records(sources))
    if read.broken and not sources.skip_broken:
        raise BadInput(_complaint(read))
    about = load_company(company)
    found = read_articles(company / "articles", "company").articles
    # What customers cannot read is neither an answer nor a reason to keep personal data.
    articles = readable_articles(found, date.today())
    tagger = PersonalTagger.load(
        EncoderFiles(settings.encoder, settings.compiled_dir),
        own_names=(about.name, about.bot_name),
    )
    dropped = Dropped()
    counted = _Counted()
    rows = list(
        grounded(
            civil(
                distinct(
                    fitting(
                        counted.of(scrubbed(read.exchanges, _public(articles), tagger)),
                        about.language,
                        dropped,
                    ),
                    held_out(company, sources.against),
                    dropped,
                ),
                load_moderator(settings),
                dropped,
            ),
            articles,
            _parts(settings, about.name, about.bot_name),
            about.name,
            dropped,
        )
    )
    if not rows:
        reasons = ", ".join(f"{n} {why}" for why, n in dropped.counts.most_common()) or "no row"
        raise BadInput(f"nothing is left to learn from ({reasons}); nothing was written")
    names = split(
        [(("conversation", r.conversation), *(("article", a) for a in r.articles)) for r in rows],
        seed=seed,
    )
    splits = {name: [r.row for r, n in zip(rows, names, strict=True) if n == name] for name in
              ("train", "dev", "test")}  # fmt: skip
    own = splits["train"]
    splits["train"] = [
        *own,
        *augmented(own, sources.augment, seed),
        *adversarial(own, sources.adversarial, seed),
    ]
    for name, own in splits.items():
        write_rows(out if name == "train" else out.with_suffix(f".{name}.jsonl"), own)
    report = _report(read, counted, dropped, rows, splits)
    data_report(out.with_suffix(".report.html"), report, dropped, splits)
    text = json.dumps({**report, "broken_rows": read.broken}, indent=1, ensure_ascii=False)
    out.with_suffix(".report.json").write_text(text + "\n", encoding="utf-8")
    return report


class _Counted:
    """Values that were replaced by placeholders, over all conversations."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def of(self, pairs: Iterable[tuple[Exchange, int]]) -> Iterator[Exchange]:
        for exchange, replaced in pairs:
            self.values[exchange.conversation] = replaced
            yield exchange


def _records(sources: Sources) -> Iterator[Located]:
    files = chain.from_iterable(read_file(path) for path in sources.files)
    named = chain.from_iterable(read_hub(name) for name in sources.hub)
    return islice(chain(files, named), sources.limit)


def _complaint(read: Read) -> str:
    shown = "\n  ".join(read.broken[:SHOWN])
    more = f"\n  … and {len(read.broken) - SHOWN} more" if len(read.broken) > SHOWN else ""
    return (
        f"{len(read.broken)} of {read.records} rows are broken:\n  {shown}{more}\n"
        "mend them, or leave them out with --skip-broken; nothing was written"
    )


def _public(articles: Sequence[Article]) -> str:
    return "\n".join(f"{article.title}\n{article.text}" for article in articles)


def _parts(settings: Settings, *own_names: str) -> tuple[Any, Any, Any]:
    files = EncoderFiles(settings.encoder, settings.compiled_dir)
    encoder = TransformerEncoder(files)
    return encoder, Reranker.load(DEFAULT, files), load_grounding(encoder, files, own_names)


def _report(
    read: Read,
    counted: _Counted,
    dropped: Dropped,
    rows: Sequence[Found],
    splits: dict[str, list[AnswerRow]],
) -> dict[str, Any]:
    return {
        "records": read.records,
        "broken": len(read.broken),
        "exchanges": len(read.exchanges),
        "rows": len(rows),
        "conversations": len({row.conversation for row in rows}),
        "personal_values_replaced": sum(counted.values.values()),
        "dropped": dict(dropped.counts.most_common()),
        **{name: len(own) for name, own in splits.items()},
        "abstain": sum(row.row.abstains for row in rows),
        "sha256": data_digest(splits["train"]),
    }
