"""What a promotion does to customers is watched, and taken back where it does harm."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import select

from chatbot.answering.served import AnswerRegistry
from chatbot.errors import Conflict, SetupError
from chatbot.learning import trials
from chatbot.learning.promotions import WATCHED_S, guard_promotion, promotion_figures
from chatbot.storage.tables import AuditRow
from tests.answering.test_served import adapter_in, small_base
from tests.support.office import Clock, House, open_house

__all__ = ["small_base"]

ANSWERED, HELD = "how long", "review my trip"


async def conversations(house: House, count: int, said: str) -> None:
    for _ in range(count):
        await house.say(await house.start(), said)


def promoted(house: House, tmp_path: Path, base: Path, version: str) -> AnswerRegistry:
    registry = AnswerRegistry.of(house.office.settings)
    registry.register(version, adapter_in(tmp_path / version), base, {})
    registry.point("serving", version)
    house.clock.now = time.time() + trials.LOADING_S + 1
    return registry


async def rollbacks(house: House) -> list[tuple[str, str]]:
    async with house.office.database.read() as session:
        query = select(AuditRow).where(AuditRow.action == "answers.rolled_back")
        return [(row.subject, row.data["why"]) for row in await session.scalars(query)]


@pytest.fixture(autouse=True)
def _few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LEAST", 10)


async def test_a_harmful_promotion_is_rolled_back_once_and_audited(
    tmp_path: Path, small_base: Path
) -> None:
    async with open_house(tmp_path / "data", clock=Clock(time.time() - 3600)) as house:
        assert await guard_promotion(house.office) is None
        await conversations(house, 10, ANSWERED)
        registry = promoted(house, tmp_path, small_base, "v1")
        assert await guard_promotion(house.office) is None  # nobody has met it yet
        await conversations(house, 10, HELD)
        why = await guard_promotion(house.office)
        assert why is not None
        assert why.startswith("v1: held is worse (serving 0.0%, candidate 100.0%")
        assert why.endswith("the default adapter serves again")
        assert registry.aliases() == {}
        assert await guard_promotion(house.office) is None
        [(subject, reason)] = await rollbacks(house)
        assert subject == "default"
        assert reason.startswith("guard: held is worse")


async def test_a_promotion_that_does_no_harm_goes_on_serving(
    tmp_path: Path, small_base: Path
) -> None:
    async with open_house(tmp_path / "data", clock=Clock(time.time() - 3600)) as house:
        await conversations(house, 6, ANSWERED)
        await conversations(house, 6, HELD)
        registry = promoted(house, tmp_path, small_base, "v1")
        await conversations(house, 6, ANSWERED)
        await conversations(house, 6, HELD)
        assert await guard_promotion(house.office) is None
        assert registry.aliases() == {"serving": "v1"}


async def test_only_the_model_that_was_replaced_is_compared_with(
    tmp_path: Path, small_base: Path
) -> None:
    async with open_house(tmp_path / "data", clock=Clock(time.time() - 3600)) as house:
        await conversations(house, 4, ANSWERED)
        promoted(house, tmp_path, small_base, "v1")
        registry = promoted(house, tmp_path, small_base, "v2")
        promotion = registry.promotion()
        assert promotion is not None
        await conversations(house, 3, HELD)
        found = await promotion_figures(house.office, promotion)
        assert found["conversations"] == {"serving": 0, "candidate": 3}


async def test_after_a_week_a_promotion_is_no_longer_watched(
    tmp_path: Path, small_base: Path
) -> None:
    async with open_house(tmp_path / "data", clock=Clock(time.time() - 3600)) as house:
        await conversations(house, 10, ANSWERED)
        registry = promoted(house, tmp_path, small_base, "v1")
        await conversations(house, 10, HELD)
        house.clock.pass_s(WATCHED_S)
        assert await guard_promotion(house.office) is None
        assert registry.aliases() == {"serving": "v1"}


async def test_what_was_rolled_back_by_hand_is_not_rolled_back_again(
    tmp_path: Path, small_base: Path
) -> None:
    async with open_house(tmp_path / "data") as house:
        registry = promoted(house, tmp_path, small_base, "v1")
        promoted(house, tmp_path, small_base, "v2")
        registry.roll_back()
        assert registry.promotion() is None
        with pytest.raises(Conflict, match="v2 does not serve any more"):
            registry.roll_back(only="v2")
        assert registry.aliases() == {"serving": "v1"}
        (registry.root / "promoted.json").write_text("{")
        with pytest.raises(SetupError, match=r"promoted\.json cannot be read"):
            await guard_promotion(house.office)
