"""``finetune router-export``: messages to be labelled; and the labelled ones read back."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from chatbot.errors import BadInput

PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]*)_\d+>")
# What stands for a placeholder in training: the model is to meet values, not marks.
SURROGATES = {
    "order_id": "LM-4821093",
    "invoice_id": "INV-20931",
    "email": "alex.reed@example.com",
    "phone": "0161 496 0877",
    "person_name": "Alex Reed",
    "address": "14 Mill Lane",
    "postcode": "M1 2AB",
    "card": "4111 1111 1111 1111",
    "iban": "GB33BUKB20201555555555",
}


def router_export_command(
    out: Annotated[Path, typer.Option(help="JSONL of messages to be labelled.")],
    model: Annotated[Path | None, typer.Option(help="A trained router; default: ours.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")] = None,
) -> None:
    """Collect messages that the router was unsure of, or that people corrected, PII replaced.

    Give each row's "intent" a name (or "out_of_scope"), then: finetune router --add OUT.
    """
    from chatbot.routing.model import DEFAULT_WEIGHTS
    from chatbot.settings import load_settings

    rows = asyncio.run(_collect(load_settings(data_dir=data_dir), model or DEFAULT_WEIGHTS))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    counts = Counter(code for row in rows for code in row["why"])
    print(json.dumps({"rows": len(rows), "why": dict(counts)}))


async def _collect(settings: Any, directory: Path) -> list[dict[str, Any]]:
    from chatbot.access.session import open_keys
    from chatbot.routing.learning import candidates
    from chatbot.routing.model import RouterModel
    from knowledge_base.encoder import EncoderFiles

    router = RouterModel.load(directory, EncoderFiles(settings.encoder))
    async with open_keys(settings) as keys:
        return [candidate.as_row() async for candidate in candidates(keys.office, router)]


def labelled_records(
    path: Path, entity_labels: Collection[str]
) -> tuple[list[tuple[int, dict[str, Any]]], int]:
    """Numbered training records of an export, and how many are still without a label.

    Placeholders become values, marked as entities where the training file has such a label.
    Raises BadInput for a line that is no row of an export.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file; write one with: python -m finetune router-export")
    rows: list[tuple[int, dict[str, Any]]] = []
    unlabelled = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, intent = row["text"], row["intent"]
        except (ValueError, KeyError, TypeError):
            raise BadInput(f"{path}: row {number}: needs text and intent, as exported") from None
        if intent in (None, "", []):
            unlabelled += 1
            continue
        rows.append((number, {"intent": intent, **_with_values(str(text), entity_labels)}))
    return rows, unlabelled


def _with_values(text: str, entity_labels: Collection[str]) -> dict[str, Any]:
    pieces: list[str] = []
    entities = []
    position = length = 0
    for match in PLACEHOLDER.finditer(text):
        label = match[1].lower()
        value = SURROGATES.get(label, match[0])
        before = text[position : match.start()]
        start = length + len(before)
        if label in entity_labels and label in SURROGATES:
            entities.append({"start": start, "end": start + len(value), "label": label})
        pieces += [before, value]
        position, length = match.end(), start + len(value)
    return {"text": "".join([*pieces, text[position:]]), "entities": entities}
