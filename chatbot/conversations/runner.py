"""Runs turns in the background of the web process, a few at a time, whatever streams exist.

Losing an event stream never cancels a turn; losing the lease, a takeover or a newer message do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from chatbot.conversations.hub import TURNS, wait
from chatbot.conversations.ledger import ClaimedTurn, TurnLedger, TurnLost
from chatbot.conversations.office import Office
from chatbot.desk import Desk
from chatbot.errors import Unavailable
from chatbot.steps import Steps
from chatbot.supervised import broken_turn, supervised_turn

log = logging.getLogger(__name__)

IDLE_S = 1.0  # how often a runner looks for turns whose worker died, when nobody wakes it
MAX_ATTEMPTS = 3  # a turn that broke its worker this often goes to a person


class TurnRunner:
    """``run()`` for ever; ``stop()`` lets other workers resume what was running here."""

    def __init__(self, office: Office, desk: Desk, concurrency: int = 4) -> None:
        self.office, self.desk = office, desk
        self.ledger = TurnLedger(office)
        self._slots = asyncio.Semaphore(concurrency)
        self._running: dict[asyncio.Task[None], ClaimedTurn] = {}

    async def run(self) -> None:
        with self.office.hub.listening(TURNS) as event:
            while True:
                event.clear()
                await self._slots.acquire()
                try:
                    claimed = await self.ledger.claim(self.sampled)
                except Unavailable as error:
                    log.error("cannot claim a turn: %s", error)
                    claimed = None
                if claimed is None:
                    self._slots.release()
                    await wait(event, IDLE_S)
                    continue
                task = asyncio.create_task(self._one(claimed))
                self._running[task] = claimed
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._slots.release()

    def sampled(self, turn_id: str, on_duty: bool) -> bool:
        """Whether a person reads this answer although nothing is wrong with it: by the turn's
        id, so that a turn that is resumed elsewhere is decided alike. A sample is taken only
        while somebody is there to read it; a share of 1 is no sample, everything is read."""
        share = max(self.office.rules.share, self.desk.sample_rate)
        drawn = int(self.office.vault.digest(turn_id)[:8], 16) < share * 2**32
        return drawn and (on_duty or share >= 1)

    async def stop(self) -> None:
        """Gives running turns back; what they delivered stays delivered."""
        tasks = dict(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for claimed in tasks.values():
            with contextlib.suppress(Unavailable):
                await self.ledger.release(claimed)

    async def _one(self, claimed: ClaimedTurn) -> None:
        heartbeat = asyncio.create_task(self._renew(claimed))
        steps = self._steps(claimed)
        try:
            async for step in steps:
                await self.ledger.write(claimed, step)
        except TurnLost:
            log.info("turn %s was taken over or superseded", claimed.turn_id)
        except Unavailable as error:
            log.error("turn %s waits for the database: %s", claimed.turn_id, error)
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)
            await steps.aclose()

    async def _steps(self, claimed: ClaimedTurn) -> Steps:
        if claimed.attempts > MAX_ATTEMPTS:
            yield broken_turn(f"was interrupted {MAX_ATTEMPTS} times")
            return
        steps = supervised_turn(
            claimed.request,
            self.desk,
            wanted=self.office.rules.reasons,
            deadline_s=self.office.settings.turn_deadline_s,
            name=claimed.turn_id,
        )
        try:
            async for step in steps:
                yield step
        finally:
            await steps.aclose()

    async def _renew(self, claimed: ClaimedTurn) -> None:
        """Ends with the task that runs the turn, or when the lease is lost."""
        while True:
            await asyncio.sleep(self.office.settings.turn_lease_s / 3)
            with contextlib.suppress(Unavailable):
                await self.ledger.renew(claimed)
