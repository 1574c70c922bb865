from __future__ import annotations

import numpy as np
import pytest

from chatbot.routing.confidence import Confidence
from chatbot.routing.neighbours import Index

INDEX = Index(
    np.eye(4, dtype=np.float32)[[0, 0, 1, 2]],
    (("a", ("one",)), ("b", ("one", "two")), ("c", ("two",)), ("d", ())),
    ("one", "two"),
)


def test_the_nearest_examples_carry_the_vote() -> None:
    similarity = INDEX.similarity(np.eye(4, dtype=np.float32)[[0, 1]])
    assert INDEX.vote(similarity) == pytest.approx(np.array([[1.0, 0.5], [0.0, 1.0]]), abs=1e-3)


def test_an_example_without_an_intent_votes_for_none() -> None:
    similarity = INDEX.similarity(np.eye(4, dtype=np.float32)[[2]])
    assert INDEX.vote(similarity) == pytest.approx(np.zeros((1, 2)), abs=1e-3)


def test_neighbours_are_named_with_all_their_intents() -> None:
    near = INDEX.nearest(np.array([0.1, 0.9, 0.3, 0.2]), 2)
    assert [(n.text, n.intent) for n in near] == [("b", "one, two"), ("c", "two")]
    assert near[0].similarity == pytest.approx(0.9)


def test_confidence_mixes_head_and_neighbours() -> None:
    logits = np.array([[2.0, 0.0, 9.0]], dtype=np.float32)  # the last one is out of scope
    votes = np.array([[0.0, 1.0]], dtype=np.float32)
    alone = Confidence(False, temperature=1.0).of(logits, votes)
    mixed = Confidence(False, temperature=1.0, neighbour_share=0.5).of(logits, votes)
    assert alone.sum() == pytest.approx(1)
    assert mixed == pytest.approx(0.5 * alone + 0.5 * votes)
    several = Confidence(True, temperature=2.0, shift=1.0).of(logits, votes)
    assert several == pytest.approx(1 / (1 + np.exp(-np.array([[2.0, 1.0]]))))
