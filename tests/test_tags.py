from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.tags import IGNORED, best_path, decode_tags, encode_tags, tag_count

LABELS = ("date", "order_id")


def test_a_span_becomes_begin_and_inside_tags_and_special_tokens_are_ignored() -> None:
    offsets = [(0, 0), (0, 5), (6, 8), (8, 9), (9, 12), (0, 0)]
    tags = encode_tags(offsets, [(6, 12, "order_id")], LABELS)
    assert tags == [IGNORED, 0, 3, 4, 4, IGNORED]


def test_two_neighbouring_spans_of_one_label_stay_two() -> None:
    offsets = [(0, 2), (3, 5)]
    tags = encode_tags(offsets, [(0, 2, "date"), (3, 5, "date")], LABELS)
    scores = np.full((2, tag_count(LABELS)), -9.0, dtype=np.float32)
    scores[[0, 1], tags] = 0.0
    assert [s[:3] for s in decode_tags(scores, offsets, LABELS)] == [(0, 2, "date"), (3, 5, "date")]


@settings(deadline=None)  # time is no part of what is tested
@given(st.lists(st.lists(st.floats(-9, 0), min_size=5, max_size=5), min_size=1, max_size=12))
def test_no_path_ever_enters_a_span_in_its_middle(rows: list[list[float]]) -> None:
    path = best_path(np.array(rows, dtype=np.float32))
    assert len(path) == len(rows)
    for before, tag in zip([0, *path], path, strict=False):
        if tag > 0 and tag % 2 == 0:
            assert before in (tag, tag - 1)


@settings(deadline=None)  # time is no part of what is tested
@given(st.data())
def test_spans_survive_encoding_and_decoding(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 10))
    offsets = [(3 * i, 3 * i + 2) for i in range(count)]
    cuts = sorted(data.draw(st.sets(st.integers(0, count), max_size=6)))
    spans = [
        (offsets[a][0], offsets[b - 1][1], data.draw(st.sampled_from(LABELS)))
        for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    tags = encode_tags(offsets, spans, LABELS)
    scores = np.full((count, tag_count(LABELS)), -9.0, dtype=np.float32)
    scores[range(count), tags] = 0.0
    assert [s[:3] for s in decode_tags(scores, offsets, LABELS)] == spans
