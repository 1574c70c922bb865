"""Reads every training set of the toxicity model into one shape, with its own three-way split.

Labels are targets in 0..1 in the order of ``CLASSES``; NaN where a set does not say. What each
set means by its labels differs, and the differences are kept here:

- jigsaw_sixlabel: six hard labels. Enriched with toxic rows.
- toxic_spans_civil: fractions of annotators; no severe_toxic.
- paradetox: profane sentence and its neutral paraphrase. It teaches profanity more than anything
  else, so that its weight is low and its targets are soft.
- davidson_hate_offensive: class 1 is mostly dialect and song lyrics that its annotators called
  offensive (a known bias), so that its toxic target is half the annotators' fraction.
- hatemoji: hate against a group, adversarial pairs; "not hate" may still be abuse of a person.
- support questions of three sets are plain negatives.

The project's own sets are read by ``finetune.toxicity_own``.
"""

from __future__ import annotations

import csv
import hashlib
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import SetupError
from chatbot.safety.toxicity_weights import CLASSES

MISSING = float("nan")
PROFANE = re.compile(r"\b(?:f+u+c*k\w*|cunt\w*|bitch\w*|shit\w*|wank\w*|twat\w*|pric?k|ass\w*)\b")
IDENTITY = re.compile(
    r"\b(?:gay|lesbian|bisexual|trans(?:gender)?|queer|muslims?|islam|jews?|jewish|christians?"
    r"|black|white|asian|african|mexicans?|arabs?|immigrants?|refugees?|disabled|blind|deaf"
    r"|autistic|women|woman|female|hindus?|buddhists?|catholics?|indian|chinese|latinos?)\b"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One training example. ``family`` groups rows that must stay in one split."""

    text: str
    targets: tuple[float, ...]
    source: str
    split: str
    weight: float = 1.0


def split_of(family: str) -> str:
    """'train' (84%), 'dev' (8%) or 'test' (8%) by a hash, the same on every machine."""
    bucket = int(hashlib.sha256(family.encode("utf-8", "replace")).hexdigest()[:8], 16) % 100
    return "dev" if bucket < 8 else "test" if bucket < 16 else "train"


def targets(**labels: float) -> tuple[float, ...]:
    """Targets in the order of CLASSES; what is not named is missing."""
    return tuple(labels.get(name, MISSING) for name in CLASSES)


CLEAN = (0.0,) * len(CLASSES)


def _csv(path: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(10_000_000)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except OSError as error:
        raise SetupError(
            f"cannot read the training set {path}: {error.strerror}; "
            "--data-root names the folder that holds jigsaw_sixlabel/, paradetox/ and the others"
        ) from None


def _jigsaw(root: Path) -> Iterator[Row]:
    for row in _csv(root / "jigsaw_sixlabel" / "train.csv"):
        text = row["comment_text"]
        values = tuple(float(row[name]) for name in CLASSES)
        yield Row(text, values, "jigsaw", split_of(text[:200]), 1.5)


def _civil(root: Path) -> Iterator[Row]:
    for row in _csv(root / "toxic_spans_civil" / "comments_multilabel.csv"):
        values = targets(
            toxic=1 - float(row["not_toxic_frac"]),
            obscene=float(row["obscene_frac"]),
            threat=float(row["threat_frac"]),
            insult=float(row["insult_frac"]),
            identity_hate=float(row["identity_attack_frac"]),
        )
        yield Row(row["comment_text"], values, "civil", split_of(row["comment_id"]), 0.7)


def _paradetox(root: Path) -> Iterator[Row]:
    for number, row in enumerate(_csv(root / "paradetox" / "toxic_neutral_pairs.csv")):
        split = split_of(row["toxic"])
        if split == "train" and number % 3:  # 12,000 pairs would drown the other sets
            continue
        yield Row(row["toxic"], targets(toxic=0.9, threat=0.02), "paradetox", split, 0.4)
        neutral = targets(
            toxic=0.06, severe_toxic=0.0, obscene=0.02, threat=0.01, insult=0.04, identity_hate=0.02
        )
        yield Row(row["neutral1"], neutral, "paradetox", split, 0.6)


def _davidson(root: Path) -> Iterator[Row]:
    for number, row in enumerate(_csv(root / "davidson_hate_offensive" / "labeled_data.csv")):
        text = html.unescape(row["tweet"])
        count = float(row["count"])
        hate, offensive = (
            float(row["hate_speech"]) / count,
            float(row["offensive_language"]) / count,
        )
        kind, split = row["class"], split_of(row["tweet"])
        if kind == "1" and split == "train" and number % 6:
            continue
        values = targets(
            toxic=min(1.0, 1.2 * hate + 0.5 * offensive),
            threat=MISSING if kind != "2" else 0.0,
            identity_hate=min(1.0, 1.2 * hate),
            obscene=0.0 if kind == "2" else MISSING,
            insult=0.02 if kind == "2" else MISSING,
            severe_toxic=0.0 if kind == "2" else MISSING,
        )
        yield Row(text, values, "davidson", split, {"0": 1.0, "1": 0.3, "2": 0.6}[kind])


def _hatemoji(root: Path) -> Iterator[Row]:
    for name in ("build_train.csv", "build_validation.csv"):
        for row in _csv(root / "hatemoji" / name):
            text = row["text"]
            family = min(row["entry_id"], row["matched_id"] or row["entry_id"], key=str)
            if row["label_gold"] == "1":
                threat = 0.9 if row["type"] == "threateninglanguage" else MISSING
                values = targets(toxic=0.97, identity_hate=0.97, threat=threat)
            elif PROFANE.search(text.lower()):
                values = targets(identity_hate=0.02)
            else:
                values = targets(toxic=0.06, severe_toxic=0.0, threat=MISSING, identity_hate=0.02)
            yield Row(text, values, "hatemoji", split_of(f"hatemoji{family}"), 2.0)


def _support(root: Path) -> Iterator[Row]:
    """Questions of ordinary customers: nothing in them may be flagged."""
    for source, path, column in (
        ("banking77", root / "banking77" / "train.csv", "text"),
        ("bitext", root / "bitext_intent_ner" / "train.csv", "text"),
        ("clinc150", root / "clinc150" / "train.csv", "text"),
    ):
        for number, row in enumerate(_csv(path)):
            text = row.get(column) or next(iter(row.values()))
            split = split_of(text)
            if number % (9 if split == "train" else 3) == 0:
                yield Row(text, CLEAN, f"support_{source}", split, 0.6)


def read_training_sets(root: Path) -> list[Row]:
    """Every set below ``root``, in a fixed order. Raises SetupError naming a missing file."""
    rows: list[Row] = []
    for reader in (_jigsaw, _civil, _paradetox, _davidson, _hatemoji, _support):
        rows.extend(row for row in reader(root) if row.text.strip())
    return rows


def bias_aware(row: Row) -> Row:
    """Doubles the weight of harmless sentences that mention a group of people."""
    if row.targets[0] < 0.2 and IDENTITY.search(row.text.lower()):
        return Row(row.text, row.targets, row.source, row.split, row.weight * 2)
    return row


def matrix(rows: Sequence[Row]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Targets of shape (rows, 6) with NaN where missing, and weights of shape (rows,)."""
    values = np.array([row.targets for row in rows], dtype=np.float32).reshape(-1, len(CLASSES))
    return values, np.array([row.weight for row in rows], dtype=np.float32)
