"""A check that fails again and again is left alone for a while, then tried once."""

from __future__ import annotations

from chatbot.safety.breaker import Breaker, State


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(failures=3, window_s=60, cool_down_s=15, clock=clock)
    for _ in range(3):
        assert breaker.allows()
        breaker.failed("failed with ValueError")
    return breaker


def test_it_opens_after_three_failures_and_lets_nothing_through() -> None:
    breaker = broken(Clock())
    assert breaker.state is State.OPEN
    assert not breaker.allows()
    assert breaker.document()["opened"] == 1


def test_failures_that_are_far_apart_do_not_open_it() -> None:
    clock = Clock()
    breaker = Breaker(failures=3, window_s=60, clock=clock)
    for _ in range(10):
        breaker.failed("took longer than 5 s")
        clock.now += 40
    assert breaker.state is State.CLOSED
    assert breaker.total == 10


def test_after_the_cool_down_one_call_is_tried_and_a_success_closes_it() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 15
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.succeeded()
    assert breaker.state is State.CLOSED
    breaker.failed("one more")
    assert breaker.state is State.CLOSED


def test_a_trial_that_fails_opens_it_again_for_the_whole_time() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 15
    assert breaker.allows()
    breaker.failed("failed with ValueError")
    clock.now = 29
    assert not breaker.allows()
    clock.now = 30
    assert breaker.allows()


def test_a_trial_whose_caller_went_away_leaves_the_next_one_its_turn() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 15
    assert breaker.allows()
    breaker.cancelled()
    assert breaker.allows()


def test_no_trial_is_made_while_an_abandoned_call_still_keeps_a_thread() -> None:
    clock = Clock()
    breaker = broken(clock)
    breaker.abandoned()
    clock.now = 100
    assert not breaker.allows()
    breaker.returned()
    assert breaker.allows()
