from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.answering.citations import split_marks, with_marks


@pytest.mark.parametrize(
    ("text", "clean", "cited"),
    [
        ("It is free [1].", "It is free.", (1,)),
        ("It is free [1][2].", "It is free.", (1, 2)),
        ("It is free. [1, 3]", "It is free.", (1, 3)),
        ("It [2] is free [1][2].", "It is free.", (2, 1)),
        ("It is free [4][0][99].", "It is free.", ()),
        ("No marks.", "No marks.", ()),
        ("Press [OK].", "Press [OK].", ()),
    ],
)
def test_marks_are_parted_from_the_text(text: str, clean: str, cited: tuple[int, ...]) -> None:
    assert split_marks(text, passages=3) == (clean, cited)


@given(st.lists(st.integers(1, 9), unique=True, max_size=4), st.sampled_from([".", "!", "", '."']))
def test_marks_come_back_as_they_were_put(cited: list[int], end: str) -> None:
    text = f"It takes 3 days{end}"
    assert split_marks(with_marks(text, cited), passages=9) == (text, tuple(cited))


def test_marks_stand_before_the_full_stop() -> None:
    assert with_marks("Within 60 days.", [1, 2]) == "Within 60 days [1][2]."
