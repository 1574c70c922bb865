from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from chatbot.answering.answerable import logit
from chatbot.answering.scripted import ScriptedEngine
from chatbot.errors import BadInput
from finetune.answerable import (
    Seen,
    after_questions,
    costs,
    costs_apart,
    observe,
    weighed,
    weighed_apart,
)
from finetune.turns_eval import Row
from tests.support.desk import PASSAGES, ScriptedDesk


def seen(count: int = 200) -> list[Seen]:
    """The reranker knows little, the model much."""
    rng = random.Random(5)
    rows = []
    for n in range(count):
        answer = float(n % 2)
        units, model = rng.gauss(answer * 0.5, 1), rng.gauss(answer * 3 - 1.5, 1)
        about = (units, rng.gauss(0, 1), 0.0, 2.0)
        rows.append(Seen(bool(answer), model, (units, model), 0.9, about))
    return rows


def elsewhere(count: int = 100) -> list[Seen]:
    """Nothing found is relevant; the model does not doubt."""
    rng = random.Random(7)
    return [
        Seen(False, 0.9, (-4.0, 3.0), 0.1, (rng.gauss(-4, 1), rng.gauss(-4, 1), 1.0, 1.5))
        for _ in range(count)
    ]


def test_the_judge_that_knows_more_weighs_more() -> None:
    found = weighed(seen())
    constant, units, model = found["BOTH"]
    assert model > units > 0.1
    assert len(found["ALONE"]) == 2
    assert abs(constant) < 1


def test_without_the_models_doubt_only_the_reranker_is_weighed() -> None:
    assert [*weighed([replace(row, features=row.features[:1]) for row in seen()])] == ["ALONE"]


def test_what_a_threshold_costs_is_told_for_each_share() -> None:
    found = costs(seen())
    assert found["n"] == 200
    assert 0.5 < found["auc units"] < found["auc model"] <= 1
    lost = [found[f"abstained {share}"]["lost"] for share in ("0.8", "0.85", "0.9", "0.95")]
    assert lost == sorted(lost)


def test_what_is_nobodys_matter_is_told_by_what_was_found() -> None:
    _, best, relevance, *_ = weighed_apart(seen(), elsewhere())
    assert best > 0
    assert relevance > 0
    found = costs_apart(seen(), elsewhere())
    assert found["auc"] == 1.0
    assert found["answered by the odds alone"] == 1.0
    assert found["lost 0.01"] == {"from": 0.9, "answered": 0.0}
    with pytest.raises(BadInput, match="something else"):
        weighed_apart(seen(), [])


def test_one_kind_of_question_alone_is_refused() -> None:
    with pytest.raises(BadInput, match="at least one of each"):
        weighed([row for row in seen() if row.answers])


async def test_questions_are_asked_as_a_turn_asks_them() -> None:
    passages = [replace(p, units=((p.text, 0.8),)) for p in PASSAGES]
    desk = ScriptedDesk(ScriptedEngine("", doubts=0.1), passages=passages)
    rows = [Row("How long?", "answer", "direct"), Row("Hello", "refuse", "direct")]
    try:
        (one,) = await observe(rows, desk)
    finally:
        await desk.close()
    units, model = one.features
    assert one.answers
    assert one.odds > 0.9
    assert units > one.matter[0] == logit(0.8)
    assert model > 2
    assert one.matter[-1] == pytest.approx(math.log(3))


async def test_what_follows_a_question_is_seen_by_itself_too() -> None:
    passages = [replace(p, units=((p.text, 0.8),)) for p in PASSAGES]
    desk = ScriptedDesk(ScriptedEngine("", doubts=0.1), passages=passages)
    first = Row("How long can I return a jacket?", "answer", "direct")
    talk = [Row(text, "abstain", "elsewhere") for text in ("mmm", "turn off the lights")]
    asked = after_questions(talk, [first, Row("Do you sell kites?", "abstain", "unanswerable")])
    assert [row.history[0].text for row in asked] == [first.question] * 2
    try:
        alone, *later = await observe([first, *asked], desk)
    finally:
        await desk.close()
    assert [alone.after, *(one.after for one in later)] == [False, True, True]
    assert len(alone.matter) == 4
    assert all(len(one.matter) == 5 for one in later)
    with pytest.raises(BadInput, match="begins a conversation"):
        after_questions(talk, asked)
