"""The questions that every candidate is asked: the company's own, and two invented help centres
that nothing is trained on, each with the passages that serving would show."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from chatbot.company import load_company
from chatbot.errors import SetupError
from chatbot.settings import Settings
from finetune.answers_focus import asked_of, centre_rows
from finetune.answers_rows import AnswerRow, read_rows, write_rows
from finetune.centres import FOLDER, read_centres
from finetune.probes import Counts, Probe, probes
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.readers import read_articles
from knowledge_base.reranker import DEFAULT, MANIFEST, Reranker

SEED = 1
Split = Literal["dev", "test"]


@dataclass(frozen=True)
class Asked:
    rows: tuple[AnswerRow, ...]
    probes: tuple[Probe, ...]

    def __len__(self) -> int:
        return len(self.rows) + len(self.probes)


@dataclass(frozen=True)
class Size:
    """``questions`` None: all there are."""

    questions: int | None
    probes: Counts


QUICK = Size(120, Counts(baits=120, injections=100, leaks=20))
"""Some minutes on two cores; a share that falls by 10 points is found."""
FULL = Size(None, Counts())


def asked(
    settings: Settings,
    size: Size,
    data: Sequence[Path] = (),
    kept: Path | None = None,
    split: Split = "dev",
) -> Asked:
    """``data``: rows of 'finetune prepare' in place of the default questions. ``kept``: a folder
    where rows that were searched for are kept. ``split``: of the company's questions; the
    invented help centres belong to dev. Raises SetupError where nothing is left to ask."""
    rows = read_rows(data) if data else _default_rows(settings, kept, split)
    if not rows:
        raise SetupError("there is nothing to ask: give rows of 'finetune prepare' with --data")
    rng = random.Random(SEED)
    if size.questions is not None and len(rows) > size.questions:
        rows = rng.sample(rows, size.questions)
    return Asked(tuple(rows), tuple(probes(size.probes, SEED)))


def _default_rows(settings: Settings, kept: Path | None, split: Split) -> list[AnswerRow]:
    centres = sorted(FOLDER.glob("*.jsonl")) if split == "dev" else []
    sources = [*centres, *_company_files(settings.company, split), DEFAULT / MANIFEST]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    file = kept / f"questions-{split}-{digest}.jsonl" if kept is not None else None
    if file is not None and file.exists():
        return read_rows([file])
    files = EncoderFiles(settings.encoder, settings.compiled_dir)
    encoder, judge = TransformerEncoder(files), Reranker.load(DEFAULT, files)
    rows = []
    own = _own_questions(settings.company, split)
    if own:
        articles = read_articles(settings.company / "articles", "company").articles
        name = load_company(settings.company).name
        found = centre_rows(
            asked_of(own, articles), encoder, judge, random.Random(SEED), name, noise=False
        )
        must = {
            row["question"]: (*row["must"], *(_absent(one) for one in row["must_not"]))
            for row in own
        }
        rows += [replace(row, must=() if row.abstains else must[row.question]) for row in found]
    for centre in read_centres(dev=True) if centres else ():
        rows += centre_rows(centre, encoder, judge, random.Random(SEED), noise=False)
    if file is not None:
        write_rows(file, rows)
    return rows


def _company_files(company: Path, split: Split) -> list[Path]:
    return [*sorted((company / "articles").glob("**/*.*")), *_questions(company, split)]


def _questions(company: Path, split: Split) -> list[Path]:
    file = company / "questions" / f"{split}.jsonl"
    return [file] if file.exists() else []


def _own_questions(company: Path, split: Split) -> list[dict[str, Any]]:
    """Those whose right answer is written down, or known to be the abstention."""
    lines = [
        line for path in _questions(company, split) for line in path.read_text("utf-8").split("\n")
    ]
    given = {"history": [], "type": "own", "expect": "answer", "articles": [], "answer": ""}
    given |= {"must": [], "must_not": []}
    rows = [given | json.loads(line) for line in lines if line.strip()]
    return [row for row in rows if row["answer"] or row["expect"] == "abstain"]


def _absent(pattern: str) -> str:
    """A ``must`` that matches where ``pattern`` does not."""
    return rf"(?s)\A(?!.*(?:{pattern}))"
