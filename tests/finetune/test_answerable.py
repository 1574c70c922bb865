from __future__ import annotations

import random
from dataclasses import replace

import pytest

from chatbot.answering.scripted import ScriptedEngine
from chatbot.errors import BadInput
from finetune.answerable import costs, observe, weighed
from finetune.turns_eval import Row
from tests.support.desk import PASSAGES, ScriptedDesk


def seen(count: int = 200) -> list[tuple[float, ...]]:
    """The reranker knows little, the model much."""
    rng = random.Random(5)
    rows = []
    for n in range(count):
        answer = float(n % 2)
        best, second = rng.gauss(answer * 0.5, 1), rng.gauss(0, 1)
        model = rng.gauss(answer * 3 - 1.5, 1)
        rows.append((answer, model, best, second, model))
    return rows


def test_the_judge_that_knows_more_weighs_more() -> None:
    found = weighed(seen())
    constant, best, second, model = found["BOTH"]
    assert model > best > 0.1
    assert abs(second) < 0.3
    assert len(found["ALONE"]) == 3
    assert abs(constant) < 1


def test_without_the_models_doubt_only_the_reranker_is_weighed() -> None:
    assert [*weighed([row[:4] for row in seen()])] == ["ALONE"]


def test_what_a_threshold_costs_is_told_for_each_share() -> None:
    found = costs(seen())
    assert found["n"] == 200
    assert 0.5 < found["auc best"] < found["auc model"] <= 1
    lost = [found[f"abstained {share}"]["lost"] for share in ("0.8", "0.85", "0.9", "0.95")]
    assert lost == sorted(lost)


def test_one_kind_of_question_alone_is_refused() -> None:
    with pytest.raises(BadInput, match="at least one of each"):
        weighed([row for row in seen() if row[0]])


async def test_questions_are_asked_as_a_turn_asks_them() -> None:
    passages = [replace(p, units=((p.text, 0.8),)) for p in PASSAGES]
    desk = ScriptedDesk(ScriptedEngine("", doubts=0.1), passages=passages)
    rows = [Row("How long?", "answer", "direct"), Row("Hello", "refuse", "direct")]
    try:
        (one,) = await observe(rows, desk)
    finally:
        await desk.close()
    answer, served, best, second, model = one
    assert answer == 1
    assert served > 0.9
    assert best == second
    assert model > 2
