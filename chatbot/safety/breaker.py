"""A circuit breaker for one check: after repeated failures it is not called for a while.

An open breaker changes no verdict (a check that did not run holds, as one that failed does). It
spares the worker threads: a check that stalls would otherwise take one of them each time, until
nothing else runs. Source: Nygard, Release It!, 2nd ed., chapter 5.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

FAILURES: Final = 3
"""Failures within WINDOW_S that open it: fewer than the worker pool has threads."""
WINDOW_S: Final = 60.0
COOL_DOWN_S: Final = 15.0  # then one call is let through, to see whether it works again


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Counts failures and says whether the next call may run. Safe to use from several threads."""

    def __init__(
        self,
        failures: int = FAILURES,
        window_s: float = WINDOW_S,
        cool_down_s: float = COOL_DOWN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = 0
        """Failures since the start, those of calls that were not let through included."""
        self.opened = 0
        self.last: str | None = None
        """What the newest failure was."""
        self._limit, self._window_s, self._cool_down_s = failures, window_s, cool_down_s
        self._clock = clock
        self._recent: deque[float] = deque()
        self._state = State.CLOSED
        self._opened_at = 0.0
        self._stuck = 0
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        return self._state

    def allows(self) -> bool:
        """Whether a call may run now. Half open, exactly one caller hears yes, and none while an
        abandoned call still occupies a thread."""
        with self._lock:
            if self._state is State.CLOSED:
                return True
            if self._state is State.HALF_OPEN or self._stuck:
                return False
            if self._clock() - self._opened_at < self._cool_down_s:
                return False
            self._state = State.HALF_OPEN
            return True

    def succeeded(self) -> None:
        with self._lock:
            if self._state is State.HALF_OPEN:
                self._state = State.CLOSED
                self._recent.clear()

    def failed(self, what: str) -> None:
        with self._lock:
            now = self._clock()
            self.total += 1
            self.last = what
            self._recent.append(now)
            while self._recent and now - self._recent[0] > self._window_s:
                self._recent.popleft()
            if self._state is State.HALF_OPEN or (
                self._state is State.CLOSED and len(self._recent) >= self._limit
            ):
                self._state = State.OPEN
                self._opened_at = now
                self.opened += 1

    def refused(self) -> None:
        """A call was not let through, which holds a text as a failure does."""
        with self._lock:
            self.total += 1

    def cancelled(self) -> None:
        """The caller went away: the call says nothing, and a trial call is free again."""
        with self._lock:
            if self._state is State.HALF_OPEN:
                self._state = State.OPEN

    def abandoned(self) -> None:
        """A call passed its deadline and its thread goes on; ``returned`` when it has ended."""
        with self._lock:
            self._stuck += 1

    def returned(self) -> None:
        with self._lock:
            self._stuck -= 1

    def document(self) -> dict[str, Any]:
        """For ``/readyz``."""
        return {
            "state": self._state.value,
            "failures": self.total,
            "opened": self.opened,
            "stuck": self._stuck,
            "last": self.last,
        }
