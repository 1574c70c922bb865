from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chatbot.answering.prompt import ABSTENTION
from finetune.answers_augment import adversarial, augmented, paraphrase
from finetune.near_duplicates import NearDuplicates
from finetune.probes import Counts, probes
from finetune.splits import split
from tests.finetune.tiny import colour_rows


def test_nearly_the_same_text_is_found_and_another_is_not() -> None:
    seen = NearDuplicates()
    seen.add("How many days do I have to return a tent that I bought in your shop in Leeds?")
    seen.add("What does standard delivery to the islands cost?")
    assert (
        seen.match("how many days do i have to return a tent that i bought in your shop in Leeds")
        == 0
    )
    assert (
        seen.match("How many days do I have to return a tent I bought in your shop in Leeds?") == 0
    )
    assert seen.match("How many hours is your shop in Leeds open on a day in winter?") is None
    assert seen.match("") is None


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=3), max_size=40))
def test_what_shares_a_key_is_never_parted(keys: list[list[int]]) -> None:
    found = split(keys)
    assert set(found) <= {"train", "dev", "test"}
    place: dict[int, str] = {}
    for names, own in zip(keys, found, strict=True):
        for name in names:
            assert place.setdefault(name, own) == own


def test_many_small_groups_come_near_sixty_twenty_twenty() -> None:
    shares = Counter(split([[n // 2] for n in range(200)]))
    assert shares == {"train": 120, "dev": 40, "test": 40}


def test_rewording_touches_the_question_alone() -> None:
    rows = colour_rows(10)
    made = augmented(rows, 2.0, seed=1)
    assert made == augmented(rows, 2.0, seed=1)
    assert 10 <= len(made) <= 20
    answers = {row.passages: row.answer for row in rows}
    for row in made:
        assert row.question not in {r.question for r in rows}
        assert answers[row.passages] == row.answer


def test_a_question_is_asked_in_another_way() -> None:
    said = {paraphrase("How do I return a tent?", random.Random(n)) for n in range(30)}
    assert "What is the way to return a tent?" in said
    assert len(said) == 4
    assert paraphrase("Parcels?", random.Random(1)) == "Parcels?"


def test_provocations_are_answered_as_if_they_were_not_there_or_refused() -> None:
    made = adversarial(colour_rows(10), 10.0, seed=1)
    kinds = Counter(row.kind for row in made)
    assert len(made) == 100
    assert set(kinds) == {f"adversarial {k}" for k in ("question", "passage", "bait", "secret")}
    for row in made:
        refused = row.kind in ("adversarial bait", "adversarial secret")
        assert (row.answer == ABSTENTION) == refused
        assert bool(row.gold) != refused


def test_what_is_trained_on_and_what_judges_share_no_wording() -> None:
    asked = [probe.row for probe in probes(Counts())]
    judged = {row.question for row in asked if row.kind != "injection"}
    trained = adversarial(colour_rows(10), 40.0, seed=1)
    assert not judged & {row.question for row in trained if row.answer == ABSTENTION}
