from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatbot.errors import SetupError
from chatbot.safety.calibration import CALIBRATION, Calibration
from chatbot.safety.toxicity import CATEGORIES
from chatbot.types import Side


def written(path: Path, **changes: object) -> Path:
    document = json.loads(CALIBRATION.read_text()) | changes
    path.write_text(json.dumps(document))
    return path


def test_both_sides_have_thresholds_of_known_categories() -> None:
    calibration = Calibration.load()
    for side in Side:
        assert set(calibration.thresholds[side]) <= set(CATEGORIES)


def test_profanity_alone_never_flags_a_customer() -> None:
    assert Calibration.load().threshold(Side.CUSTOMER, "obscene") is None


def test_the_price_of_each_side_is_recorded() -> None:
    trade_off = Calibration.load().trade_off
    for side in Side:
        assert {"cost", "abuse_missed", "legitimate_flagged"} <= set(trade_off[side.value])


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    calibration = Calibration.load()
    (tmp_path / "c.json").write_text(json.dumps(calibration.document()))
    assert Calibration.load(tmp_path / "c.json") == calibration


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "no calibration of format"),
        ({"thresholds": {"bot": {"toxicity": 0.5}}}, "no thresholds for the side customer"),
        ({"thresholds": {"customer": {"toxicity": "high"}, "bot": {}}}, "'high'"),
        ({"thresholds": {"customer": {"toxicity": 1.5}, "bot": {}}}, r"1\.5"),
        ({"thresholds": {"customer": {"toxicity": True}, "bot": {}}}, "True"),
        ({"thresholds": {"customer": {"toxicity": float("nan")}, "bot": {}}}, "nan"),
    ],
)
def test_a_bad_calibration_stops_the_start_and_says_why(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(SetupError, match=message):
        Calibration.load(written(tmp_path / "c.json", **changes))


def test_a_missing_or_cut_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"none\.json cannot be read"):
        Calibration.load(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text(CALIBRATION.read_text()[:40])
    with pytest.raises(SetupError, match=r"cut\.json cannot be read"):
        Calibration.load(tmp_path / "cut.json")
