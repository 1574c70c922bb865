from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knowledge_base.late_interaction import Read
from knowledge_base.unit_file import UnitFile, digest

HIDDEN = 8


def a_read(tokens: int, seed: int) -> Read:
    chooser = np.random.default_rng(seed)
    return Read(
        chooser.integers(-127, 128, (tokens, HIDDEN)).astype(np.int8),
        chooser.random(tokens, dtype=np.float32),
        chooser.integers(-127, 128, HIDDEN).astype(np.int8),
    )


@pytest.fixture
def units() -> dict[str, Read]:
    texts = ("Shipping > Costs. It costs 4 euros.", "Größe \ud83d. Rot.", "c")
    return {text: a_read(3 + n, n) for n, text in enumerate(texts)}


def test_units_are_found_as_they_were_read(tmp_path: Path, units: dict[str, Read]) -> None:
    assert UnitFile(tmp_path, "weights").write(units)
    found = UnitFile(tmp_path, "weights").read()
    assert set(found) == {digest(text) for text in units}
    for text, read in units.items():
        tokens, weights, whole = found[digest(text)]
        assert np.array_equal(tokens, read.tokens)
        assert np.array_equal(weights, read.weights)
        assert np.array_equal(whole, read.whole)


def test_other_weights_find_nothing_and_their_first_file_removes_the_old_one(
    tmp_path: Path, units: dict[str, Read]
) -> None:
    old, new = UnitFile(tmp_path, "old"), UnitFile(tmp_path, "new")
    old.write(units)
    assert new.read() == {}
    new.write(units)
    assert [path.name for path in tmp_path.iterdir()] == [new.path.name]


def test_a_file_under_the_name_of_other_weights_is_not_believed(
    tmp_path: Path, units: dict[str, Read], caplog: pytest.LogCaptureFixture
) -> None:
    old, new = UnitFile(tmp_path, "old"), UnitFile(tmp_path, "new")
    old.write(units)
    old.path.rename(new.path)
    assert new.read() == {}
    assert "other weights" in caplog.text


@pytest.mark.parametrize("place", [0, 10, 200, -1])
def test_a_damaged_file_is_reported_and_removed(
    tmp_path: Path, units: dict[str, Read], place: int, caplog: pytest.LogCaptureFixture
) -> None:
    kept = UnitFile(tmp_path, "weights")
    kept.write(units)
    content = bytearray(kept.path.read_bytes())
    content[place] ^= 1
    kept.path.write_bytes(content)
    assert kept.read() == {}
    assert not kept.path.exists()
    assert "read anew" in caplog.text


@pytest.mark.parametrize("length", [0, 40, -5])
def test_so_is_one_that_was_cut(tmp_path: Path, units: dict[str, Read], length: int) -> None:
    kept = UnitFile(tmp_path, "weights")
    kept.write(units)
    kept.path.write_bytes(kept.path.read_bytes()[:length])
    assert kept.read() == {}
    assert not kept.path.exists()


def test_what_is_mapped_stays_readable_when_the_file_is_replaced(
    tmp_path: Path, units: dict[str, Read]
) -> None:
    kept = UnitFile(tmp_path, "weights")
    kept.write(units)
    tokens, _, _ = kept.read()[digest("c")]
    kept.write({"d": a_read(50, 9)})
    assert np.array_equal(tokens, units["c"].tokens)


def test_nothing_is_written_where_nothing_changed(tmp_path: Path, units: dict[str, Read]) -> None:
    kept = UnitFile(tmp_path, "weights")
    assert not kept.write({})
    assert kept.write(units)
    assert not kept.write(units)
    first, *rest = units
    assert kept.write({text: units[text] for text in rest}), "an article was deleted"
    assert digest(first) not in UnitFile(tmp_path, "weights").read()


def test_a_folder_that_cannot_be_written_costs_only_time(
    tmp_path: Path, units: dict[str, Read], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    assert not UnitFile(tmp_path / "file", "weights").write(units)
    assert "not kept" in caplog.text


def test_too_much_is_not_written(
    tmp_path: Path, units: dict[str, Read], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge_base.unit_file.MOST_BYTES", 30)
    assert not UnitFile(tmp_path, "weights").write(units)
    assert not any(tmp_path.iterdir())
