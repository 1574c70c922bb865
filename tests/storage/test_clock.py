"""One clock for all processes: the system clock may be set, leases and promises stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.errors import Conflict
from chatbot.storage.clock import shared_clock
from tests.support.office import open_house


class Machine:
    """A boot clock that only goes on, and a system clock that somebody sets."""

    def __init__(self) -> None:
        self.since_boot, self.wrong_by = 1000.0, 0.0

    def boot(self) -> float:
        return self.since_boot

    def system(self) -> float:
        return 1_790_000_000.0 + self.since_boot + self.wrong_by


@pytest.mark.parametrize("jump_s", [7200.0, -7200.0])
async def test_a_lease_survives_a_changed_system_clock(tmp_path: Path, jump_s: float) -> None:
    machine = Machine()
    async with open_house(tmp_path) as house:

        async def worker_clock() -> None:
            house.office.clock = await shared_clock(
                house.office.database,
                since_boot=machine.boot,
                boot="one boot",
                system_time=machine.system,
            )

        await worker_clock()
        robin, kim = await house.on_duty("Robin"), await house.on_duty("Kim")
        await house.say(await house.start(), "review this")
        item = (await house.open_items())[0]["id"]
        version = (await house.review.claim(item, robin))["version"]

        machine.wrong_by = jump_s
        await worker_clock()  # a worker that starts after the change
        with pytest.raises(Conflict, match="Robin is working"):
            await house.review.claim(item, kim)
        await house.review.renew(item, robin)
        machine.since_boot += house.office.settings.review_lease_s + 1
        with pytest.raises(Conflict, match="expired"):
            await house.review.approve(item, robin, version)
        await house.review.claim(item, kim)


async def test_a_dead_clock_battery_does_not_set_the_time_back(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await house.say(await house.start(), "How long?")
        now = house.clock()
        clock = await shared_clock(
            house.office.database,
            since_boot=lambda: 5.0,
            boot="after a power cut",
            system_time=lambda: 1000.0,
        )
        assert clock() >= now
