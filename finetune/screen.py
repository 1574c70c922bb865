"""``python -m finetune screen``: an adapter of the encoder and heads for injection, crisis, tone.

Thresholds come from dev rows that no weight has seen; what is reported comes from test rows
that neither a weight nor a threshold has seen.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from chatbot.errors import SetupError
from chatbot.safety.classifiers import WEIGHTS, Heads, Vectors, featurize, sigmoid, softmax
from chatbot.safety.crisis import crisis_alarm
from chatbot.safety.injection import injection_marker
from chatbot.safety.screen_encoder import ADAPTER, ScreenEncoder
from chatbot.safety.tone import harsh
from chatbot.safety.views import scoring_views
from chatbot.settings import load_settings
from chatbot.types import Tone
from finetune.screen_data import DATA, Row, read_rows, typed_fast
from finetune.screen_report import ORDINARY, TONES, UNMOVED, Scored, card, report
from finetune.screen_train import Recipe, side_by_side, train_adapter
from knowledge_base.encoder import EncoderFiles, TextEncoder, TransformerEncoder

HASHED_WEIGHT: Final = 1.5  # of 1, 1.5 and 2 the best on dev
STRENGTH: Final = {"injection": 5.0, "crisis": 8.0, "tone": 2.0}  # inverse of L2, best on dev
FALSE_ALARMS: Final = {
    "injection": (0.015, ORDINARY),  # promised are 2% of support questions
    "crisis": (0.004, ORDINARY),  # an ordinary question answered by the crisis text is absurd
    "concern": (0.02, ORDINARY),  # a person looks: a miss is worse than a look too many
}
"""On dev, and of which rows."""
HARSH_ALARMS: Final = 0.01
"""Share of dev questions and talk that may be called angry, abusive or threatening: a person is
called for each."""
SUREST: Final = 0.99  # a threshold above it would stand among a few rows at the very top
PASSAGE_SURE: Final = 0.998
"""A passage left out is an answer lost: of 6,645 passages of the sample and of thirty invented help
centres, five honest ones for customers score between 0.7 and 0.997 over four trainings (how the
chat works, how to reach a person). Rules find the usual orders whatever the head says."""
ATTACKS_FOUND: Final = 0.95
THREAT_PRECISION: Final = 0.9
WORDS_SHARE: Final = 0.5
"""How much the heads on shared vector and n-grams count beside the adapted vector, best on dev."""


def train_screen(
    data_dir: Path = DATA,
    out_dir: Path = WEIGHTS,
    seed: int = 0,
    encoder: TransformerEncoder | None = None,
    recipe: Recipe | None = None,
    tone: Heads | None = None,
) -> dict[str, Any]:
    """Trains into ``out_dir`` (adapter and heads.safetensors, heads.json, metrics.json, card.md).

    ``data_dir`` holds ``safety/``, ``screen/`` and ``router/``. ``tone``: heads whose tone head
    and its threshold are carried over instead of fitted (decision 0140). Returns the metrics.
    """
    encoder = encoder or TransformerEncoder(EncoderFiles(cache=load_settings().compiled_dir))
    started = time.monotonic()
    rows = read_rows(data_dir)
    rows += typed_fast(rows)
    trained = train_adapter(rows, encoder.files, recipe or Recipe(), seed)
    trained.save_adapter(out_dir / ADAPTER)
    features = featurize([row.text for row in rows], encoder, HASHED_WEIGHT)
    weights: dict[str, Vectors] = {}
    biases: dict[str, Vectors] = {}
    for head in ("injection", "crisis", "tone"):
        weights[head], biases[head] = side_by_side(
            fit(head, rows, features, seed), trained.head(head), WORDS_SHARE, encoder.dimension
        )
    if tone is not None:
        weights["tone"], biases["tone"] = tone.weights["tone"], tone.biases["tone"]
    reader = ScreenEncoder(encoder, out_dir)
    heads = Heads(weights, biases, {}, reader.name, HASHED_WEIGHT)
    scored = score(heads, rows, reader)
    thresholds = {
        "injection": max(_at_false_alarms(scored, "injection"), _at_recall(scored)),
        "crisis": _at_false_alarms(scored, "crisis"),
        "concern": _at_false_alarms(scored, "concern"),
        "threatening": tone.thresholds["threatening"] if tone else _at_precision(scored),
        "harsh": tone.thresholds["harsh"] if tone else _at_harsh_alarms(scored),
        "passage": PASSAGE_SURE,
    }
    heads = Heads(weights, biases, thresholds, reader.name, HASHED_WEIGHT)
    heads.save(out_dir)
    metrics = report(scored, thresholds)
    metrics["seed"] = seed
    metrics["encoder"] = reader.name
    metrics["seconds"] = round(time.monotonic() - started, 1)
    (out_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    (out_dir / "card.md").write_text(card(metrics, seed), "utf-8")
    return metrics


def command(
    data: Annotated[Path, typer.Option(help="Folder with safety/, screen/ and router/.")] = DATA,
    out: Annotated[Path, typer.Option(help="Where the heads go.")] = WEIGHTS,
    seed: int = 0,
    fit_tone: Annotated[
        bool, typer.Option("--fit-tone", help="Fit the tone head too; else it stays as it is.")
    ] = False,
) -> None:
    """Train the heads that read a customer's message: injection, crisis, tone."""
    encoder = TransformerEncoder(EncoderFiles(cache=load_settings().compiled_dir))
    tone = None if fit_tone else Heads.load(encoder=ScreenEncoder(encoder))
    print(json.dumps(train_screen(data, out, seed, encoder, tone=tone), indent=2))


def fit(head: str, rows: Sequence[Row], features: Vectors, seed: int) -> tuple[Vectors, Vectors]:
    """Logistic regression on the train rows that are labelled for the head."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    chosen = [
        i for i, row in enumerate(rows) if row.split == "train" and getattr(row, head) is not None
    ]
    labels = np.array(
        [
            TONES.index(rows[i].tone or Tone.CALM) if head == "tone" else getattr(rows[i], head)
            for i in chosen
        ]
    )
    model = LogisticRegression(
        C=STRENGTH[head], class_weight="balanced", max_iter=500, tol=1e-3, random_state=seed
    ).fit(csr_matrix(features[chosen]), labels)
    return model.coef_.astype(np.float32), model.intercept_.astype(np.float32)


def score(heads: Heads, rows: Sequence[Row], encoder: TextEncoder) -> list[Scored]:
    """Dev and test rows, as the screen reads them: worst over views, rules beside the heads."""
    kept = [row for row in rows if row.split != "train"]
    views = [scoring_views(row.text) for row in kept]
    flat = list(dict.fromkeys(view for group in views for view in group))
    features = featurize(flat, encoder, heads.hashed_weight)
    place = {view: i for i, view in enumerate(flat)}
    injection = sigmoid(heads.logits("injection", features))[:, 0]
    crisis = sigmoid(heads.logits("crisis", features))[:, 0]
    tone = softmax(heads.logits("tone", features))
    return [
        Scored(
            row,
            max(float(injection[place[v]]) for v in group),
            max(float(crisis[place[v]]) for v in group),
            dict(zip(TONES, map(float, tone[place[group[0]]]), strict=True)),
            injection_marker(group) is not None,
            crisis_alarm(group) is not None,
        )
        for row, group in zip(kept, views, strict=True)
    ]


def _at_false_alarms(scored: Sequence[Scored], head: str) -> float:
    """The lowest threshold at which at most FALSE_ALARMS of harmless dev rows are flagged."""
    rate, sources = FALSE_ALARMS[head]
    head = {"concern": "crisis"}.get(head, head)
    found = sorted(
        getattr(s, head)
        for s in scored
        if s.row.split == "dev" and s.row.source in sources and getattr(s.row, head) == 0
    )
    if not found:
        raise SetupError("there are no legitimate dev rows to set a threshold with")
    allowed = int(rate * len(found))
    return float(min(SUREST, max(0.05, found[len(found) - 1 - allowed] + 1e-4)))


def _at_recall(scored: Sequence[Scored]) -> float:
    """The highest threshold that still finds ATTACKS_FOUND of the dev attacks, rules included: what
    is more than enough is spent on messages that only quote commands."""
    attacks = [s for s in scored if s.row.split == "dev" and s.row.injection == 1]
    wanted = ATTACKS_FOUND * len(attacks) - sum(s.marker for s in attacks)
    found = sorted((s.injection for s in attacks if not s.marker), reverse=True)
    place = min(len(found), max(1, math.ceil(wanted))) - 1
    return float(min(0.95, found[place] - 1e-4)) if found else 0.0


def _at_harsh_alarms(scored: Sequence[Scored]) -> float:
    """The lowest probability of a harsh tone that HARSH_ALARMS of the calm dev rows reach."""
    found = sorted(
        (harsh(s.tone) for s in scored if s.row.split == "dev" and s.row.source in UNMOVED),
        reverse=True,
    )
    return round(found[int(HARSH_ALARMS * len(found))] + 1e-4, 4)


def _at_precision(scored: Sequence[Scored]) -> float:
    """The lowest probability of a threat at which THREAT_PRECISION of dev alarms are right."""
    dev = sorted(
        (
            (s.tone[Tone.THREATENING], s.row.tone is Tone.THREATENING)
            for s in scored
            if s.row.split == "dev" and (s.row.tone is not None or s.row.source == "legit")
        ),
        reverse=True,
    )
    best = 0.9
    right = 0
    for rank, (probability, threat) in enumerate(dev, 1):
        right += threat
        if threat and right / rank >= THREAT_PRECISION:
            best = probability
    return round(best - 1e-4, 4)
