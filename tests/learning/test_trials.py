"""An experiment is judged by what happened to customers, and ended where it does harm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from chatbot.answering.experiment import Experiment, Experiments
from chatbot.learning import trials
from chatbot.learning.trials import breached, guard, trial_figures
from chatbot.storage.tables import AuditRow
from tests.support.office import House, open_house

TRIAL = Experiment("ab", "v2", 0.5, 0.0, "salt")


async def stories(house: House, count: int) -> list[str]:
    """Conversations whose answer is held exactly where the candidate would write it."""
    names = []
    for _ in range(count):
        conversation = await house.start()
        held = TRIAL.arm(conversation) == "candidate"
        await house.say(conversation, "review my trip" if held else "how long")
        names.append(conversation)
    return names


async def test_arms_are_compared_by_conversation(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        names = await stories(house, 24)
        found = await trial_figures(house.office, TRIAL)
        arms = [TRIAL.arm(name) for name in names]
        assert found["conversations"] == {a: arms.count(a) for a in ("serving", "candidate")}
        held = found["figures"]["held"]
        assert held["candidate"]["share"] == 1.0
        assert held["serving"]["share"] == 0.0
        assert held["worse"]
        assert held["p"] < 0.001
        assert found["figures"]["edited"]["p"] == 1.0
        assert found["figures"]["thumbs_down"]["serving"]["share"] is None


async def test_conversations_from_before_both_models_answered_do_not_count(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await stories(house, 3)
        late = replace(TRIAL, started_at=house.clock.now)
        found = await trial_figures(house.office, late)
        assert found["conversations"] == {"serving": 0, "candidate": 0}
        assert breached(found) is None


async def test_the_guard_ends_a_harmful_experiment_once_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "LEAST", 5)
    async with open_house(tmp_path) as house:
        experiments = Experiments.of(house.office.settings)
        assert await guard(house.office) is None
        experiments.root.mkdir(parents=True)
        (experiments.root / "experiment.json").write_text(
            '{"mode": "ab", "candidate": "v2", "share": 0.5, "started_at": 0.0, "salt": "salt"}'
        )
        await stories(house, 30)
        why = await guard(house.office)
        assert why is not None and why.startswith("held is worse (serving 0.0%, candidate 100.0%")
        assert experiments.current() is None
        assert "guard: held is worse" in (experiments.root / "experiments.jsonl").read_text()
        assert await guard(house.office) is None
        async with house.office.database.read() as session:
            query = select(AuditRow).where(AuditRow.action == "answers.trial_ended")
            assert len((await session.scalars(query)).all()) == 1


async def test_a_shadow_is_left_alone_by_the_guard(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        experiments = Experiments.of(house.office.settings)
        experiments.root.mkdir(parents=True)
        (experiments.root / "experiment.json").write_text(
            '{"mode": "shadow", "candidate": "v2", "share": 1, "started_at": 0, "salt": "salt"}'
        )
        await stories(house, 4)
        assert await guard(house.office) is None
        assert experiments.current() is not None
