from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest
import torch

from chatbot.errors import SetupError
from chatbot.safety.toxicity import (
    CATEGORIES,
    MAX_CHARS,
    DetoxifyScorer,
    ScoreUnreadable,
    TextTooLong,
)
from tests.safety import toxicity_model

INSULT = "You are a worthless idiot and everybody hates you."
CALM = "Your parcel usually arrives within three working days."


def test_no_texts_give_no_scores() -> None:
    assert toxicity_model.scorer().score([]) == []


def test_every_category_is_scored_between_0_and_1() -> None:
    (scores,) = toxicity_model.scorer().score([INSULT])
    assert set(scores) == set(CATEGORIES)
    assert all(0 <= value <= 1 for value in scores.values())


def test_an_insult_scores_far_above_a_calm_sentence() -> None:
    insult, calm = toxicity_model.scorer().score([INSULT, CALM])
    assert insult["toxicity"] > 0.8
    assert calm["toxicity"] < 0.3


def test_a_batch_scores_like_one_by_one() -> None:
    texts = [INSULT, CALM, "x", "", "🤡", "long words " * 40]
    together = toxicity_model.scorer().score(texts)
    for text, scores in zip(texts, together, strict=True):
        alone = toxicity_model.scorer().score([text])[0]
        for name in CATEGORIES:
            assert scores[name] == pytest.approx(alone[name], abs=1e-4)


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u2060", "\n"])
def test_a_text_without_a_visible_character_is_not_toxic(text: str) -> None:
    assert toxicity_model.scorer().score([text])[0]["toxicity"] < 0.2


@pytest.mark.parametrize(
    "disguised",
    [
        "You are a w0rthl3ss 1d10t and everybody h4tes you.",
        "You are a worthless id\u200bio\u200bt and everybody ha\u200btes you.",
        "Yоu аre а wоrthless іdіоt аnd everybоdy hаtes yоu.",
        "You are a worthless i d i o t and everybody hates you.",
        "You are a worthless idiooooot and everybody haaaates you.",
        "Ｙｏｕ ａｒｅ ａ ｗｏｒｔｈｌｅｓｓ ｉｄｉｏｔ",
    ],
)
def test_a_disguised_insult_scores_like_the_plain_one(disguised: str) -> None:
    assert toxicity_model.scorer().score([disguised])[0]["toxicity"] > 0.7


@pytest.mark.parametrize("place", [0, 700, 1500])
def test_an_insult_in_a_long_text_is_found_wherever_it_stands(place: int) -> None:
    words = (CALM + " ") * 180
    parts = words.split(" ")
    text = " ".join([*parts[:place], INSULT, *parts[place:]])[:MAX_CHARS]
    hidden, calm = toxicity_model.scorer().score([text, words[:MAX_CHARS]])
    assert hidden["toxicity"] > 0.5 > calm["toxicity"]


def test_a_megabyte_is_refused_at_once_rather_than_cut() -> None:
    started = time.monotonic()
    with pytest.raises(TextTooLong, match="1000000 characters"):
        toxicity_model.scorer().score([CALM, "a" * 1_000_000])
    assert time.monotonic() - started < 1


def test_lone_surrogates_and_stacked_marks_are_scored() -> None:
    scores = toxicity_model.scorer().score(["bad \ud83d half", "e" + "\u0301" * 10_000])
    assert all(math.isfinite(value) for row in scores for value in row.values())


def test_a_score_that_is_not_a_number_raises_instead_of_passing() -> None:
    broken = DetoxifyScorer(toxicity_model.checkpoint())
    with torch.no_grad():
        broken._detoxify.model.classifier.bias.fill_(math.nan)
    with pytest.raises(ScoreUnreadable, match="nan as score of toxicity"):
        broken.score([CALM])


def test_a_model_that_answers_in_the_wrong_shape_raises() -> None:
    class Short:
        def __init__(self, real: Any) -> None:
            self.tokenizer = real.tokenizer

        def predict(self, texts: list[str]) -> dict[str, list[float]]:
            return {"toxicity": [0.1] * (len(texts) - 1)}

    broken = DetoxifyScorer(toxicity_model.checkpoint())
    broken._detoxify = Short(broken._detoxify)
    with pytest.raises(ScoreUnreadable, match="2 scores of toxicity for 3 texts"):
        broken.score(["a", "b", "c"])


def test_threads_get_the_scores_of_their_own_texts() -> None:
    scorer = toxicity_model.scorer()
    expected = scorer.score([INSULT, CALM])
    found: list[tuple[int, dict[str, float]]] = []

    def work(which: int) -> None:
        found.extend((which, scorer.score([(INSULT, CALM)[which]])[0]) for _ in range(4))

    threads = [threading.Thread(target=work, args=(i % 2,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 24
    for which, scores in found:
        assert scores["toxicity"] == pytest.approx(expected[which]["toxicity"], abs=1e-4)


def test_a_model_that_cannot_be_loaded_stops_the_start(tmp_path: Any) -> None:
    (tmp_path / "x.ckpt").write_bytes(b"nothing")
    with pytest.raises(SetupError, match="Detoxify cannot load"):
        DetoxifyScorer(tmp_path / "x.ckpt")
