"""Whether rows that were read can train a model, or fit one that is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chatbot.errors import BadInput
from finetune.router_data import OUT_OF_SCOPE, RouterData, problem_report, some


def check_training(path: Path, data: RouterData) -> None:
    """Raises BadInput when no model can be trained: one-example intents, or too few of them."""
    counts = Counter(intent for row in data.rows for intent in row.intents)
    single = [
        (row.number, f"intent {intent!r} has this one example; write at least one more")
        for row in data.rows
        for intent in row.intents
        if counts[intent] == 1 and intent != OUT_OF_SCOPE
    ]
    if single:
        raise BadInput(problem_report(path, single, skippable=False))
    needed = 0 if data.entity_labels else 2  # rows without intents still teach entities
    if len(data.intents) < needed:
        raise BadInput(
            f"{path}: {len(data.intents)} intents besides out_of_scope; {needed} are needed"
        )


def check_known(
    path: Path, data: RouterData, intents: Sequence[str], entity_labels: Sequence[str]
) -> None:
    """Raises BadInput for labels that the model was not trained on."""
    known = {*intents, OUT_OF_SCOPE}
    unknown = [
        (row.number, f"unknown intent {intent!r}; the model knows {some(intents)}")
        for row in data.rows
        for intent in row.intents
        if intent not in known
    ]
    unknown += [
        (row.number, f"unknown entity label {e.label!r}; the model knows {some(entity_labels)}")
        for row in data.rows
        for e in row.entities
        if e.label not in entity_labels
    ]
    if unknown:
        raise BadInput(problem_report(path, sorted(unknown), skippable=False))
