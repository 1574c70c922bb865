"""``python -m finetune screen``: heads for injection, crisis and tone on frozen vectors.

Thresholds come from dev rows that no weight has seen; what is reported comes from test rows
that neither a weight nor a threshold has seen.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from chatbot.errors import SetupError
from chatbot.safety.classifiers import WEIGHTS, Heads, Vectors, featurize, sigmoid, softmax
from chatbot.safety.crisis import crisis_alarm
from chatbot.safety.injection import decoded, injection_marker
from chatbot.safety.views import scoring_views
from chatbot.types import Tone
from knowledge_base.encoder import EncoderFiles, TextEncoder, TransformerEncoder

DATA: Final = Path(__file__).parent / "data"
HASHED_WEIGHT: Final = 1.0  # of 0, 0.5, 1, 1.5 and 2 the best on dev
STRENGTH: Final = {"injection": 5.0, "crisis": 5.0, "tone": 2.0}  # inverse of L2, best on dev
INJECTION_FALSE_ALARMS: Final = 0.01  # of ordinary support messages; 0.02 is the limit promised
CRISIS_FALSE_ALARMS: Final = 0.008  # 0.01 is the limit promised
THREAT_PRECISION: Final = 0.9

TONES: Final = tuple(Tone)
UNLABELLED: Final = frozenset({"out_of_scope", "product_safety", "legal_threat"})
"""Intents whose rows may hold what the heads look for, and nobody has labelled them for it."""
PLAINLY_CALM: Final = frozenset({"product_info", "product_availability", "store_info", "greeting"})


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    split: str
    injection: int | None = None
    crisis: int | None = None
    tone: Tone | None = None
    source: str = ""


def train_screen(
    data_dir: Path = DATA,
    out_dir: Path = WEIGHTS,
    seed: int = 0,
    encoder: TextEncoder | None = None,
) -> dict[str, Any]:
    """Trains into ``out_dir`` (heads.safetensors, heads.json, metrics.json, card.md).

    ``data_dir`` holds ``safety/``, ``screen/`` and ``router/``. Returns the metrics.
    """
    encoder = encoder or TransformerEncoder(EncoderFiles())
    started = time.monotonic()
    rows = read_rows(data_dir)
    features = featurize([row.text for row in rows], encoder, HASHED_WEIGHT)
    weights: dict[str, Vectors] = {}
    biases: dict[str, Vectors] = {}
    for head in ("injection", "crisis", "tone"):
        weights[head], biases[head] = _fit(head, rows, features, seed)
    heads = Heads(weights, biases, {}, encoder.name, HASHED_WEIGHT)
    scored = _score(heads, rows, encoder)
    thresholds = {
        "injection": _at_false_alarms(scored, "injection", INJECTION_FALSE_ALARMS),
        "crisis": _at_false_alarms(scored, "crisis", CRISIS_FALSE_ALARMS),
        "threatening": _at_precision(scored),
    }
    heads = Heads(weights, biases, thresholds, encoder.name, HASHED_WEIGHT)
    heads.save(out_dir)
    metrics = _report(scored, thresholds)
    metrics["seed"] = seed
    metrics["encoder"] = encoder.name
    metrics["seconds"] = round(time.monotonic() - started, 1)
    (out_dir / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    (out_dir / "card.md").write_text(_card(metrics, seed), "utf-8")
    return metrics


def command(
    data: Annotated[Path, typer.Option(help="Folder with safety/, screen/ and router/.")] = DATA,
    out: Annotated[Path, typer.Option(help="Where the heads go.")] = WEIGHTS,
    seed: int = 0,
) -> None:
    """Train the heads that read a customer's message: injection, crisis, tone."""
    print(json.dumps(train_screen(data, out, seed), indent=2))


def read_rows(data_dir: Path) -> list[Row]:
    """All rows with their split. Raises SetupError naming the file that is missing or broken.

    ``injection_dev`` and the router's dev file are test rows; where a file has no split, a
    hash of the text parts it. Rows of ``screen/`` and of the contrast files only train.
    """
    safety = data_dir / "safety"
    rows = [
        *_injection_rows(safety),
        *_tone_rows(safety),
        *_more_rows(data_dir / "screen"),
        *_router_rows(data_dir / "router"),
    ]
    for row in _read(safety / "crisis.jsonl"):
        rows.append(Row(row["text"], _split(row["text"]), crisis=row["label"], source=row["kind"]))
    for row in _read(safety / "support_legit.jsonl"):
        rows.append(Row(row["text"], _split(row["text"]), 0, 0, source="legit"))
    held_back = {row.text for row in rows if row.split != "train"}
    return [row for row in rows if row.split != "train" or row.text not in held_back]


def _injection_rows(safety: Path) -> Iterator[Row]:
    for row in _read(safety / "injection_train.jsonl"):
        split = "dev" if _bucket(row["text"]) == 0 else "train"
        yield Row(row["text"], split, injection=row["label"], source=row["kind"])
    for row in _read(safety / "injection_dev.jsonl"):
        yield Row(row["text"], "test", injection=row["label"], source=row["kind"])


def _tone_rows(safety: Path) -> Iterator[Row]:
    for row in _read(safety / "tone.jsonl"):
        yield Row(row["text"], _split(row["text"]), tone=Tone(row["tone"]), source="tone")
    for row in _read(safety / "contrast_train.jsonl"):
        if row["labels"]["threat"] or row["group"] == "support_agent_abuse":
            tone = Tone.THREATENING if row["labels"]["threat"] else Tone.ABUSIVE
            yield Row(row["text"], "train", tone=tone, source="contrast")


def _more_rows(folder: Path) -> Iterator[Row]:
    for row in _read(folder / "more_train.jsonl"):
        tone = Tone(row["tone"]) if "tone" in row else None
        yield Row(row["text"], "train", row.get("injection"), row.get("crisis"), tone, "more")


def _router_rows(folder: Path) -> Iterator[Row]:
    for split, name in (("train", "train"), ("test", "dev")):
        for row in _read(folder / f"{name}.jsonl"):
            if row["intent"] in UNLABELLED:
                continue
            tone = Tone.CALM if row["intent"] in PLAINLY_CALM and split == "train" else None
            where = "dev" if split == "train" and _bucket(row["text"]) == 0 else split
            yield Row(row["text"], where, 0, 0, tone if where == "train" else None, "router")


def _fit(head: str, rows: Sequence[Row], features: Vectors, seed: int) -> tuple[Vectors, Vectors]:
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
    ).fit(features[chosen], labels)
    return model.coef_.astype(np.float32), model.intercept_.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Scored:
    row: Row
    injection: float
    crisis: float
    tone: dict[Tone, float]
    marker: bool
    alarm: bool


def _score(heads: Heads, rows: Sequence[Row], encoder: TextEncoder) -> list[Scored]:
    """Dev and test rows, as the screen reads them: worst over views, rules beside the heads."""
    kept = [row for row in rows if row.split != "train"]
    views = [(*scoring_views(row.text), *decoded(row.text)) for row in kept]
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


def _at_false_alarms(scored: Sequence[Scored], head: str, rate: float) -> float:
    """The lowest threshold at which at most ``rate`` of legitimate dev rows is flagged."""
    found = sorted(
        getattr(s, head)
        for s in scored
        if s.row.split == "dev" and s.row.source in {"legit", "router"}
    )
    if not found:
        raise SetupError("there are no legitimate dev rows to set a threshold with")
    allowed = int(rate * len(found))
    return float(min(0.95, max(0.05, found[len(found) - 1 - allowed] + 1e-4)))


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
    for rank, (score, threat) in enumerate(dev, 1):
        right += threat
        if threat and right / rank >= THREAT_PRECISION:
            best = score
    return round(best - 1e-4, 4)


def _report(scored: Sequence[Scored], thresholds: dict[str, float]) -> dict[str, Any]:
    document: dict[str, Any] = {"thresholds": {k: round(v, 4) for k, v in thresholds.items()}}
    for split in ("dev", "test"):
        part = [s for s in scored if s.row.split == split]
        document[split] = {
            "injection": _binary(part, "injection", "marker", thresholds["injection"]),
            "crisis": _binary(part, "crisis", "alarm", thresholds["crisis"]),
            "tone": _tones(part),
        }
    return document


def _binary(part: Sequence[Scored], head: str, rule: str, threshold: float) -> dict[str, Any]:
    def flagged(s: Scored) -> bool:
        return bool(getattr(s, head) >= threshold or getattr(s, rule))

    labelled = [s for s in part if getattr(s.row, head) is not None]
    attacks = [s for s in labelled if getattr(s.row, head) == 1]
    legit = [s for s in labelled if s.row.source in {"legit", "router", "ordinary"}]
    hard = [s for s in labelled if s.row.source in {"hard_negative", "none"}]
    kinds = sorted({s.row.source for s in attacks})
    return {
        "positives": len(attacks),
        "recall": _rate(flagged(s) for s in attacks),
        "recall_rules_only": _rate(bool(getattr(s, rule)) for s in attacks),
        "legit": len(legit),
        "false_alarms_on_legit": _rate(flagged(s) for s in legit),
        "false_alarms_of_rules": _rate(bool(getattr(s, rule)) for s in legit),
        "hard_negatives": len(hard),
        "false_alarms_on_hard_negatives": _rate(flagged(s) for s in hard),
        "recall_by_kind": {
            kind: _rate(flagged(s) for s in attacks if s.row.source == kind) for kind in kinds
        },
    }


def _tones(part: Sequence[Scored]) -> dict[str, Any]:
    rows = [s for s in part if s.row.tone is not None]
    guessed = [max(s.tone, key=lambda t: s.tone[t]) for s in rows]
    return {
        "n": len(rows),
        "accuracy": _rate(g is s.row.tone for s, g in zip(rows, guessed, strict=True)),
        "within_one_step": _rate(
            abs(TONES.index(g) - TONES.index(s.row.tone)) <= 1
            for s, g in zip(rows, guessed, strict=True)
        ),
        "by_tone": {
            tone.value: _rate(
                g is tone for s, g in zip(rows, guessed, strict=True) if s.row.tone is tone
            )
            for tone in TONES
        },
    }


def _rate(values: Any) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else None


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise SetupError(f"{path} cannot be read: {error.strerror or error}") from None
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise SetupError(f"{path}, line {number}: {error}") from None
    return rows


def _bucket(text: str) -> int:
    return zlib.crc32(text.encode()) % 5


def _split(text: str) -> str:
    return {0: "dev", 1: "test"}.get(_bucket(text), "train")


def _card(metrics: dict[str, Any], seed: int) -> str:
    test = metrics["test"]
    lines = [
        "# Heads that read a customer's message",
        "",
        "Three linear heads (injection, crisis, tone) on frozen sentence vectors of",
        f"`{metrics['encoder']}` and hashed n-grams of characters and words.",
        "",
        f"Made by `python -m finetune screen --seed {seed}` from `finetune/data/safety`,",
        "`screen` and `router` (written for this project by an AI model; see the README there).",
        "Thresholds come from dev rows, the figures below from test rows of the same writer, with",
        "the rules beside the heads as in serving.",
        "",
        "| | found | false alarms on support messages | on hard negatives |",
        "|---|---|---|---|",
    ]
    for head in ("injection", "crisis"):
        figures = test[head]
        lines.append(
            f"| {head} | {figures['recall']:.3f} of {figures['positives']} | "
            f"{figures['false_alarms_on_legit']:.4f} of {figures['legit']} | "
            f"{figures['false_alarms_on_hard_negatives']} of {figures['hard_negatives']} |"
        )
    tone = test["tone"]
    lines += [
        "",
        f"Tone: right on {tone['accuracy']} of {tone['n']}, within one step on "
        f"{tone['within_one_step']}.",
        "",
        "Limits: English, with a few rows in other languages; a few hundred rows by one writer, so",
        "real traffic will differ. A threat to sue or to leave is anger, not a threat. The crisis",
        "rules and extra rows were written by someone who had read all of crisis.jsonl, so its",
        "test figure is not independent; the extra injection rows were written without the test.",
        "",
    ]
    return "\n".join(lines)
