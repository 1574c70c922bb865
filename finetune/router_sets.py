"""``finetune router-sets``: the public sets as rows of the router, split for our own figures.

Only the sets' train files are read (of CLINC150 and Bitext also the validation files, which
their publishers made for this); their test files stay out of every figure of this repository.
"""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from chatbot.errors import SetupError

TEST_SHARE = 0.1  # of each intent, where a set has no validation file of its own
FEW_SHOT = 10
NLUPP_TEST_FOLDS = frozenset((12, 13, 14))
CLINC_EVAL = 10  # validation rows an intent for the threshold; the other ten are measured on
SEED = 0

Row = dict[str, Any]
Files = dict[str, list[Row]]


def router_sets_command(
    data_root: Annotated[Path, typer.Option(help="Folder of the public sets.")],
    out: Annotated[Path, typer.Option(help="Folder for train, eval and test files.")],
) -> None:
    """Write the public sets as JSONL for ``finetune router`` and ``evaluate router``."""
    out.mkdir(parents=True, exist_ok=True)
    for make in (_banking77, _clinc150, _bitext, _nlupp, _restaurant8k):
        for name, rows in make(data_root).items():
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (out / f"{name}.jsonl").write_text("".join(lines), "utf-8")
            print(f"{len(rows):6} rows  {out / name}.jsonl")


def _banking77(root: Path) -> Files:
    rows = [
        {"text": r["text"], "intent": r["category"]} for r in _csv(root / "banking77/train.csv")
    ]
    train, test = _split(rows, _intent)
    few = [row for group in _groups(train, _intent) for row in group[:FEW_SHOT]]
    return {"banking77-train": train, "banking77-test": test, "banking77-few": few}


def _clinc150(root: Path) -> Files:
    folder = root / "clinc150"
    held = _groups(_csv(folder / "val.csv"), _intent)
    outside, other = _csv(folder / "oos_train.csv"), _csv(folder / "oos_val.csv")

    def scoped(rows: Sequence[Row]) -> list[Row]:
        return [{"text": row["text"], "intent": "out_of_scope"} for row in rows]

    return {
        "clinc150-train": _csv(folder / "train.csv"),
        "clinc150-eval": [row for g in held for row in g[:CLINC_EVAL]] + scoped(outside[:100]),
        "clinc150-test": [row for g in held for row in g[CLINC_EVAL:]] + scoped(other),
    }


def _bitext(root: Path) -> Files:
    def rows(name: str) -> list[Row]:
        found = []
        for record in _csv(root / "bitext_intent_ner" / name):
            row: Row = {"text": record["utterance"], "intent": record["intent"], "entities": []}
            if record["entity_type"]:
                span = {"start": int(record["start_offset"]), "end": int(record["end_offset"])}
                row["entities"] = [span | {"label": record["entity_type"]}]
            found.append(row)
        return found

    return {"bitext-train": rows("train.csv"), "bitext-test": rows("dev.csv")}


def _nlupp(root: Path) -> Files:
    files: Files = {"nlupp-train": [], "nlupp-test": []}
    for name in ("banking", "hotels"):
        for record in _jsonl(root / "nlupp" / f"{name}.jsonl"):
            row = {"text": record["text"], "intent": record["intents"], "entities": _spans(record)}
            part = "nlupp-test" if record["fold"] in NLUPP_TEST_FOLDS else "nlupp-train"
            files[part].append(row)
    return files


def _restaurant8k(root: Path) -> Files:
    rows = [
        {
            "text": record["text"],
            "intent": sorted(set(record["requested_slots"])),
            "entities": _spans(record),
        }
        for record in _jsonl(root / "restaurant8k" / "train.jsonl")
    ]
    train, test = _split(rows, lambda row: "")
    return {"restaurant8k-train": train, "restaurant8k-test": test}


def _intent(row: Row) -> str:
    return str(row["intent"])


def _spans(record: Row) -> list[Row]:
    return [{"start": s["start"], "end": s["end"], "label": s["slot"]} for s in record["slots"]]


def _groups(rows: Sequence[Row], key: Callable[[Row], str]) -> list[list[Row]]:
    """Rows of one key together, each group shuffled by the fixed seed."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    rng = random.Random(SEED)
    return [rng.sample(groups[name], len(groups[name])) for name in sorted(groups)]


def _split(rows: Sequence[Row], key: Callable[[Row], str]) -> tuple[list[Row], list[Row]]:
    train, test = [], []
    for group in _groups(rows, key):
        count = round(TEST_SHARE * len(group))
        test += group[:count]
        train += group[count:]
    return train, test


def _csv(path: Path) -> list[Row]:
    with _existing(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _jsonl(path: Path) -> Iterator[Row]:
    with _existing(path).open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise SetupError(f"{path}: no such file; --data-root is the folder that holds the sets")
    return path
