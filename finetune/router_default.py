"""The rows of the default router: the project's own examples and a share of public sets.

The project's rows are the style that customers of a shop write in, so the public sets are
cut down until they add words without outweighing it.
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatbot.errors import SetupError
from chatbot.routing.model import DEFAULT_WEIGHTS

OWN = Path(__file__).parent / "data" / "router"
BITEXT_PER_INTENT = 10  # with 30 a frozen-vector baseline lost 3 points on our dev rows
CLINC_PER_INTENT = 4
NLUPP_PER_INTENT = 12
OUT_OF_SCOPE_PER_LABEL = 4  # of about 120 labels
CURRENCY_SIGNS = "$€£"


@dataclass(frozen=True, slots=True)
class DefaultRows:
    train: Path
    dev: Path
    out: Path
    command: str


def assemble_default(data_root: Path | None, seed: int) -> DefaultRows:
    """Writes the joined training rows to a temporary file.

    Raises SetupError when the public sets are not below ``data_root``.
    """
    needed = (
        "bitext_intent_ner/train.csv",
        "clinc150/train.csv",
        "clinc150/oos_train.csv",
        "nlupp/banking.jsonl",
        "nlupp/hotels.jsonl",
    )
    if data_root is None or not all((data_root / name).is_file() for name in needed):
        raise SetupError(
            f"--default needs --data-root: a folder with {', '.join(needed)} (data sets Bitext "
            "customer support intents, CLINC150 and NLU++)"
        )
    mapping = tomllib.loads((OWN / "mapping.toml").read_text(encoding="utf-8"))
    rng = random.Random(seed)
    lines = (OWN / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]
    own = len(rows)
    rows += (bitext := _bitext(data_root, mapping, rng))
    rows += (clinc := _clinc(data_root, mapping["clinc150"], rng))
    rows += (nlupp := _nlupp(data_root, mapping, rng))
    rows = [row | {"borrowed": place >= own} for place, row in enumerate(rows)]
    train = Path(tempfile.mkdtemp(prefix="router-")) / "train.jsonl"
    train.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    train.with_name("SOURCES.md").write_text(
        f"""## Data
| rows | set | licence |
|---|---|---|
| {own} | the project's own messages (`finetune/data/router`) | Apache-2.0 |
| {len(bitext)} | Bitext customer support intents | CDLA-Sharing-1.0 |
| {len(clinc)} | CLINC150 | CC-BY-3.0 |
| {len(nlupp)} | NLU++ | CC-BY-4.0 |

Labels are mapped by `finetune/data/router/mapping.toml`; the dev rows are the project's own. The
public rows are learnt from, but none of their words is kept beside the weights.
""",
        "utf-8",
    )
    command = f"python -m finetune router --default --data-root DIR --seed {seed}"
    return DefaultRows(train, OWN / "dev.jsonl", DEFAULT_WEIGHTS, command)


def _bitext(root: Path, mapping: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in _csv(root / "bitext_intent_ner" / "train.csv"):
        intent = mapping["bitext"].get(record["intent"])
        kind, text = record["entity_type"], record["utterance"]
        if not isinstance(intent, str) or (kind and kind not in mapping["bitext_entities"]):
            continue
        entities = []
        if kind:
            start, end = int(record["start_offset"]), int(record["end_offset"])
            start -= int(text[:start][-1:] in tuple(CURRENCY_SIGNS))  # ours hold the sign
            end += int(text[end : end + 1] in tuple(CURRENCY_SIGNS))
            label = mapping["bitext_entities"][kind]
            entities.append({"start": start, "end": end, "label": label})
        groups[intent].append({"text": text, "intent": intent, "entities": entities})
    return _draw(groups, BITEXT_PER_INTENT, rng)


def _clinc(root: Path, mapping: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    inside: dict[str, list[dict[str, Any]]] = defaultdict(list)
    outside: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in _csv(root / "clinc150" / "train.csv"):
        intent = mapping.get(record["intent"])
        if not isinstance(intent, str):  # listed under [drop]
            continue
        group = outside[record["intent"]] if intent == "out_of_scope" else inside[intent]
        group.append({"text": record["text"], "intent": intent, "entities": []})
    mixed = [
        {"text": r["text"], "intent": "out_of_scope", "entities": []}
        for r in _csv(root / "clinc150" / "oos_train.csv")
    ]
    return [
        *_draw(inside, CLINC_PER_INTENT, rng),
        *_draw(outside, OUT_OF_SCOPE_PER_LABEL, rng),
        *mixed,
    ]


def _nlupp(root: Path, mapping: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    labels = mapping["nlupp_entities"]
    for name in ("banking", "hotels"):
        for line in (root / "nlupp" / f"{name}.jsonl").read_text("utf-8").splitlines():
            record = json.loads(line)
            intent = mapping["nlupp"].get("+".join(sorted(record["intents"])))
            if intent is None:
                continue
            entities = [
                {"start": s["start"], "end": s["end"], "label": labels[s["slot"]]}
                for s in record["slots"]
                if s["slot"] in labels
            ]
            groups[intent].append({"text": record["text"], "intent": intent, "entities": entities})
    return _draw(groups, NLUPP_PER_INTENT, rng)


def _draw(
    groups: dict[str, list[dict[str, Any]]], count: int, rng: random.Random
) -> list[dict[str, Any]]:
    return [
        row
        for name in sorted(groups)
        for row in rng.sample(groups[name], min(count, len(groups[name])))
    ]


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
