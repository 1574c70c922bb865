"""Reads the project's own sets of support conversations (finetune/data/safety), and any labelled
file of a user: the rows that stand for the traffic of this product rather than of a forum."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from chatbot.safety.toxicity_weights import CLASSES
from finetune.centres import FOLDER as CENTRES
from finetune.centres import read_centres
from finetune.toxicity_data import CLEAN, Row, targets
from knowledge_base.settings import SAMPLE_COMPANY
from knowledge_base.units import units

CONTRAST_DIR = Path(__file__).parent / "data" / "safety"
ARTICLES_DIR = SAMPLE_COMPANY / "articles"
OWN = (
    "contrast_", "group_", "desk_", "bot_", "attitude_", "legit", "tone_", "article", "support_",
)  # fmt: skip
"""Beginnings of the sources whose labels follow this product's rules. A public set calls a
swear word toxic whoever it is aimed at; these do not."""
WRITTEN = ("contrast_", "group_", "desk_", "bot_")
"""Of these, the ones written line by line and labelled for every category."""
ALIASES = {
    "toxicity": "toxic",
    "severe_toxicity": "severe_toxic",
    "identity_attack": "identity_hate",
}
MARKDOWN = re.compile(r"[#*_`>|]|\[|\]\([^)]*\)")
SENTENCE_END = re.compile(r"(?<=[.?!])\s+")


def read_labelled(path: Path) -> list[tuple[str, tuple[float, ...]]]:
    """JSONL with ``text`` and ``label`` (0/1), ``labels`` or the Jigsaw names; NaN if absent.

    Raises SetupError naming file and line for anything else.
    """
    rows = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise SetupError(f"cannot read {path}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found = dict(row.get("labels") or {}) if isinstance(row.get("labels"), dict) else {}
            found |= {k: v for k, v in row.items() if ALIASES.get(k, k) in CLASSES}
            if "label" in row and "toxic" not in found and "toxicity" not in found:
                found["toxic"] = row["label"]
            named = {
                ALIASES.get(str(k), str(k)): float(v) for k, v in found.items() if v is not None
            }
            rows.append((str(row["text"]), targets(**named)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SetupError(
                f"{path}, line {number}: {error!r}; each line needs a text and label 0/1 "
                f"or the names {', '.join(CLASSES)}"
            ) from None
    return rows


def read_contrast(folder: Path = CONTRAST_DIR, weight: float = 3.0) -> list[Row]:
    """The project's own sets of support conversations.

    contrast_train.jsonl trains; contrast_dev.jsonl is halved into dev and test; of
    support_legit.jsonl, where nothing may be flagged, a third trains; tone.jsonl, where the
    abusive and threatening rows must be, is for dev and test alone.
    """
    rows: list[Row] = []
    for path in sorted(folder.glob("contrast_*.jsonl")):
        groups = [json.loads(line).get("group", path.stem) for line in _lines(path)]
        for (text, values), group in zip(read_labelled(path), groups, strict=True):
            split = "train" if path.stem.endswith("train") else _part(text, 0.0)
            rows.append(Row(text, values, f"contrast_{group}", split, weight))
    legit = targets(toxic=0.02, severe_toxic=0.0, threat=0.0, insult=0.01, identity_hate=0.0)
    for row in optional_rows(folder / "support_legit.jsonl"):
        rows.append(Row(row["text"], legit, "legit", _part(row["text"], 1 / 3), weight / 2))
    for row in optional_rows(folder / "tone.jsonl"):
        toxic = row["tone"] in {"abusive", "threatening"}
        values = targets(toxic=1.0) if toxic else targets(toxic=0.0)
        rows.append(Row(row["text"], values, f"tone_{row['tone']}", _part(row["text"], 0.0)))
    return rows


def read_families(folder: Path = CONTRAST_DIR, weight: float = 3.0) -> list[Row]:
    """What customers write to a desk and what a bot must not answer, by the file's own split.

    Files ``*_tone_more.jsonl``; sources are ``desk_<kind>`` and ``bot_<kind>``. A family is a way
    to say something ("praise, then an insult"), and none stands in two splits, so that dev and
    test ask for what was not shown. Raises SetupError for a row that breaks this.
    """
    rows: list[Row] = []
    homes: dict[str, str] = {}
    for path in sorted(folder.glob("*_tone_more.jsonl")):
        side = path.name.split("_")[0]
        for found, (text, values) in zip(optional_rows(path), read_labelled(path), strict=True):
            family, split, kind = found["family"], found["split"], found["kind"]
            if homes.setdefault(family, split) != split:
                raise SetupError(
                    f"{path}: the family {family} stands in {homes[family]} and in {split}; "
                    "a family belongs to one split"
                )
            source = f"{side}_{kind.removeprefix(side + '_')}"
            rows.append(Row(text, values, source, split, weight))
    return rows


def read_articles(folder: Path = ARTICLES_DIR) -> list[Row]:
    """Sentences of the sample help articles: what a bot that quotes them says. Never toxic."""
    texts: dict[str, None] = {}
    for path in sorted(folder.glob("*.md")):
        body = path.read_text("utf-8").split("\n---", 1)[-1]
        for line in body.splitlines():
            plain = MARKDOWN.sub(" ", line).strip()
            for sentence in SENTENCE_END.split(plain):
                if len(sentence.split()) > 3:
                    texts[sentence.strip()] = None
    return [Row(text, CLEAN, "article", _part(text, 1 / 3), 0.7) for text in texts]


def read_centre_articles(folder: Path = CENTRES) -> list[Row]:
    """What a bot quotes from the invented help centres, as it would be delivered. A centre is in
    one split, so that dev and test hold kinds of business that training has not seen."""
    centres = [*read_centres(folder), *read_centres(folder, dev=True)]
    homes = ("train", "train", "train", "dev", "test")
    texts: dict[str, str] = {}
    for place, centre in enumerate(centres):
        for chunk in centre.chunks:
            for unit in units(chunk.text, legible=True):
                texts.setdefault(unit, homes[place % len(homes)])
    return [Row(text, CLEAN, "article", split, 0.7) for text, split in texts.items()]


def _part(text: str, train: float) -> str:
    """'train' with that share, the rest halved into 'dev' and 'test', by a hash."""
    place = hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] / 256
    return "train" if place < train else "dev" if place < (1 + train) / 2 else "test"


def optional_rows(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file, none where it is absent."""
    return [json.loads(line) for line in _lines(path)] if path.exists() else []


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line.strip()]
