from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from knowledge_base.recent import Recent


def test_only_what_is_not_remembered_is_computed_and_once() -> None:
    asked: list[list[str]] = []

    def compute(texts: Sequence[str]) -> list[int]:
        asked.append(list(texts))
        return [len(text) for text in texts]

    recent = Recent(2, compute)
    assert recent.of(["a", "bb", "a"]) == [1, 2, 1]
    assert recent.of(["bb", "ccc"]) == [2, 3]
    assert asked == [["a", "bb"], ["ccc"]]
    recent.of(["a"])
    assert asked[-1] == ["a"], "the one asked for longest ago was forgotten"


def test_a_failure_is_not_remembered() -> None:
    broken = [True]

    def compute(texts: Sequence[str]) -> list[int]:
        if broken:
            raise RuntimeError("no")
        return [1 for _ in texts]

    recent = Recent(2, compute)
    with pytest.raises(RuntimeError):
        recent.of(["a"])
    broken.clear()
    assert recent.of(["a"]) == [1]


def test_what_one_thread_computes_another_waits_for() -> None:
    begun, go = Event(), Event()
    asked: list[list[str]] = []

    def compute(texts: Sequence[str]) -> list[int]:
        asked.append(list(texts))
        if "slow" in texts:
            begun.set()
            assert go.wait(10)
        return [len(text) for text in texts]

    recent = Recent(5, compute)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(recent.of, ["slow"])
        assert begun.wait(10)
        second = pool.submit(recent.of, ["slow", "quick"])
        while ["quick"] not in asked:  # its own text does not wait for the other thread
            assert not second.done()
        go.set()
        assert (first.result(10), second.result(10)) == ([4], [4, 5])
    assert asked == [["slow"], ["quick"]]


def test_who_waited_for_a_thread_that_failed_computes_for_itself() -> None:
    begun, go = Event(), Event()

    def compute(texts: Sequence[str]) -> list[int]:
        if not begun.is_set():
            begun.set()
            assert go.wait(10)
            raise RuntimeError("no")
        return [len(text) for text in texts]

    recent = Recent(5, compute)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(recent.of, ["a"])
        assert begun.wait(10)
        second = pool.submit(recent.of, ["a"])
        go.set()
        assert second.result(10) == [1]
        with pytest.raises(RuntimeError):
            first.result(10)


def test_what_was_computed_elsewhere_is_known() -> None:
    def compute(texts: Sequence[str]) -> list[int]:
        raise AssertionError(texts)

    recent = Recent(2, compute)
    recent.remember({"a": 1, "b": 2, "c": 3})
    assert recent.known(["a", "b", "c"]) == {"b": 2, "c": 3}
    assert recent.of(["c", "b"]) == [3, 2]
