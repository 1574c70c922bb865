from __future__ import annotations

from collections.abc import Sequence

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
