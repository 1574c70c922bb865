"""How thresholds are chosen, figures are made and recipes are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chatbot.errors import SetupError
from chatbot.safety.calibration import Calibration
from chatbot.safety.toxicity import CATEGORIES
from chatbot.types import Side
from finetune.toxicity_aims import measure
from finetune.toxicity_calibrate import BOT, CUSTOMER, choose
from finetune.toxicity_data import CLEAN, Row, targets
from finetune.toxicity_evaluate import balanced_accuracy
from finetune.toxicity_recipe import load_recipe


def test_the_customer_side_obeys_its_limit_of_false_flags() -> None:
    rng = np.random.default_rng(0)
    good = [Row(str(i), CLEAN, "support_x", "dev") for i in range(2000)]
    bad = [
        Row(f"b{i}", targets(toxic=1.0), "contrast_support_agent_abuse", "dev") for i in range(300)
    ]
    scores = np.concatenate([rng.beta(1, 12, (2000, 6)), rng.beta(6, 2, (300, 6))])
    thresholds, trade = choose([*good, *bad], scores.astype(np.float32), CUSTOMER)
    flagged = trade["legitimate_flagged"]
    assert isinstance(flagged, float)
    assert flagged <= CUSTOMER.limit
    assert "obscene" not in thresholds
    worth = trade["by_category"]
    assert isinstance(worth, dict)
    assert set(worth) == set(thresholds)
    assert all(w["missed_without"] >= trade["abuse_missed"] for w in worth.values())
    stricter, _ = choose([*good, *bad], scores.astype(np.float32), BOT)
    assert min(stricter.values()) <= min(thresholds.values())


def test_an_answer_that_swears_is_bad_and_a_customer_who_swears_is_not() -> None:
    swears = targets(toxic=0.0, obscene=1.0)
    rows = [Row(f"s{i}", swears, "bot_profane", "dev") for i in range(20)]
    rows += [Row(f"a{i}", CLEAN, "article", "dev") for i in range(200)]
    rows += [Row(f"d{i}", swears, "desk_profane_product", "dev") for i in range(20)]
    scores = np.full((len(rows), 6), 0.02, dtype=np.float32)
    scores[:20, 2] = scores[-20:, 2] = 0.9
    bot, _ = choose(rows, scores, BOT)
    assert bot["obscene"] <= 0.9
    customer, trade = choose(rows, scores, CUSTOMER)
    assert trade["legitimate_flagged"] == 0
    assert "obscene" not in customer


def test_the_bot_side_pays_for_harmless_words_about_groups() -> None:
    rows = [Row(f"a{i}", CLEAN, "article", "dev") for i in range(100)]
    rows += [Row(f"h{i}", targets(toxic=1.0), "group_contempt", "dev") for i in range(50)]
    rows += [Row(f"n{i}", CLEAN, "group_neutral", "dev") for i in range(50)]
    scores = np.zeros((200, 6), dtype=np.float32)
    scores[100:150, 0], scores[150:, 0] = 0.7, 0.6
    thresholds, trade = choose(rows, scores, BOT)
    assert 0.6 < thresholds["toxicity"] <= 0.7
    assert trade["lookalikes_flagged"] == 0.0


def test_shares_of_what_the_model_is_for_name_the_rows_that_went_wrong() -> None:
    calibration = Calibration({Side.CUSTOMER: {"threat": 0.5}, Side.BOT: {"toxicity": 0.5}})
    rows = [
        Row(text, targets(toxic=1.0, threat=1.0), "desk_threat_to_person", "test")
        for text in ("I will hurt you", "sleep well, while you can")
    ]
    scores = np.zeros((2, 6), dtype=np.float32)
    scores[0, CATEGORIES.index("threat")] = 0.9
    (found,) = measure(rows, scores, calibration)
    assert (found["aim"], found["mean"], found["n"]) == ("threats found", 0.5, 2)
    assert found["wrong"] == ["sleep well, while you can"]


def test_balanced_accuracy_counts_both_classes_alike() -> None:
    wanted = np.array([True, False, False, False])
    assert balanced_accuracy(wanted, np.array([True, False, False, True])) == pytest.approx(0.83333)
    assert balanced_accuracy(np.array([True]), np.array([True])) is None


def test_a_recipe_file_overrides_the_defaults_and_unknown_names_stop(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("epochs = 0.5\nblends = [1.0]\n")
    recipe = load_recipe(tmp_path / "r.toml", seed=5)
    assert (recipe.epochs, recipe.blends, recipe.seed) == (0.5, (1.0,), 5)
    (tmp_path / "bad.toml").write_text("epoch = 1\n")
    with pytest.raises(SetupError, match="epoch is no setting"):
        load_recipe(tmp_path / "bad.toml")
