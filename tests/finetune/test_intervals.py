from __future__ import annotations

import random

import pytest

from finetune.intervals import difference, interval


def test_a_share_lies_within_its_interval_and_more_rows_narrow_it() -> None:
    few, many = interval([1, 0, 1, 1]), interval([1, 0, 1, 1] * 50)
    assert few is not None and many is not None
    assert few.mean == many.mean == 0.75
    assert few.low <= 0.75 <= few.high
    assert many.high - many.low < few.high - few.low


def test_a_row_that_a_figure_does_not_concern_does_not_count() -> None:
    found = interval([1, None, None, 0])
    assert found is not None
    assert (found.mean, found.n) == (0.5, 2)
    assert interval([None, None]) is None
    assert difference([None, None], [1, 0]) is None


def test_a_fall_on_the_same_rows_is_found_and_noise_is_not() -> None:
    rng = random.Random(1)
    before = [float(rng.random() < 0.8) for _ in range(200)]
    worse = [value if rng.random() < 0.8 else 0.0 for value in before]
    fall = difference(before, worse)
    assert fall is not None and fall.high < 0
    shuffled = list(before)
    rng.shuffle(shuffled)
    noise = difference(before, shuffled)
    assert noise is not None and noise.low <= 0 <= noise.high


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows cannot be paired with 3"):
        difference([1, 0], [1, 0, 1])
