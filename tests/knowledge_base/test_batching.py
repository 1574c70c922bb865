from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.batching import PASS_TOKENS, Batched, Row, alike, padded


class Sums:
    """Sums each row's ids; its second output repeats each token. Can be held up."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.entered = threading.Semaphore(0)
        self.free = threading.Event()
        self.free.set()
        self.broken = False

    def run(self, ids: Any, mask: Any, types: Any) -> list[Any]:
        self.rows.append(len(ids))
        self.entered.release()
        assert self.free.wait(10)
        if self.broken:
            raise RuntimeError("out of order")
        return [(ids * mask).sum(1, keepdims=True).astype(np.float32), ids[:, :, None]]


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=80), max_size=40))
def test_each_row_gets_its_own_answer_whatever_it_shares_a_pass_with(rows: list[list[int]]) -> None:
    answers = Batched(Sums()).run([Row(ids) for ids in rows])
    assert [float(answer[0][0]) for answer in answers] == [float(sum(ids)) for ids in rows]


def test_an_output_for_each_token_is_cut_to_the_rows_tokens() -> None:
    _, tokens = Batched(Sums(), pad=7).run([Row([3, 4]), Row([5] * 6)])[0]
    assert tokens[:, 0].tolist() == [3, 4]


def test_callers_that_wait_are_served_together() -> None:
    forward = Sums()
    network = Batched(forward)
    forward.free.clear()
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(network.run, [Row([1])])
        assert forward.entered.acquire(timeout=10)
        others = [pool.submit(network.run, [Row([n, n])]) for n in range(2, 7)]
        while len(network._waiting) < 5:
            pass
        forward.free.set()
        assert first.result()[0][0] == 1
        assert [float(other.result()[0][0][0]) for other in others] == [4, 6, 8, 10, 12]
    assert forward.rows == [1, 5]
    assert network.passes == 2


def test_a_failing_pass_is_told_to_each_caller_and_the_next_one_runs() -> None:
    forward = Sums()
    network = Batched(forward)
    forward.broken = True
    with pytest.raises(RuntimeError, match="out of order"):
        network.run([Row([1])])
    forward.broken = False
    assert network.run([Row([2])])[0][0] == 2


def test_nothing_asked_is_no_pass() -> None:
    forward = Sums()
    assert Batched(forward).run([]) == []
    assert forward.rows == []


def test_short_rows_are_not_padded_to_a_long_one() -> None:
    assert alike([200, 5, 6, 5]) == [[1, 3, 2], [0]]


def test_rows_of_like_length_share_a_pass_up_to_its_limit() -> None:
    batches = alike([64] * 40)
    assert all(len(batch) * 64 <= PASS_TOKENS for batch in batches)
    assert len(batches) == 3


def test_padding_is_masked_and_types_are_kept() -> None:
    ids, mask, types = padded([Row([1, 2, 3], [0, 0, 1]), Row([4])], pad=9)
    assert ids[1].tolist() == [4] + [9] * 7
    assert mask.sum(1).tolist() == [3, 1]
    assert types[0].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
