from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from knowledge_base import shared_tables
from knowledge_base.quiet import import_openvino
from knowledge_base.shared_tables import share_tables

ROWS, WIDTH = 2100, 1000  # 4.2 MB in float16


@pytest.fixture(autouse=True)
def nothing_shared_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_tables, "_tables", [])


def table(seed: int) -> NDArray[np.float16]:
    return np.random.default_rng(seed).normal(size=(ROWS, WIDTH)).astype(np.float16)


def looking_up(folder: Path, name: str, values: NDArray[np.float16]) -> Any:
    """A network that gives rows of a table, as it is read from its file."""
    openvino = import_openvino()
    from openvino import opset13

    ids = opset13.parameter([-1], np.int64, name="ids")
    rows = opset13.convert(opset13.constant(values), "f32")
    found = opset13.gather(rows, ids, opset13.constant(np.int64(0)))
    path = folder / f"{name}.xml"
    openvino.save_model(openvino.Model([found], [ids]), path, compress_to_fp16=False)
    return openvino.Core().read_model(path)


def rows_of(model: Any, *ids: int) -> NDArray[np.float32]:
    openvino = import_openvino()
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    return np.asarray(compiled(np.array(ids, dtype=np.int64))[0])


def place_of(model: Any) -> int:
    """Where in memory its table lies."""
    tables = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    largest = max(tables, key=lambda op: int(op.get_byte_size()))
    return int(largest.data.__array_interface__["data"][0])


def test_an_equal_table_is_the_first_ones_and_answers_the_same(tmp_path: Path) -> None:
    values = table(1)
    first, second = looking_up(tmp_path, "a", values), looking_up(tmp_path, "b", values)
    assert share_tables(first, tmp_path / "a.bin") == 0
    assert share_tables(second, tmp_path / "b.bin") == 1
    assert place_of(first) == place_of(second)
    expected = values[[0, 7, ROWS - 1]].astype(np.float32)
    assert np.array_equal(rows_of(first, 0, 7, ROWS - 1), expected)
    assert np.array_equal(rows_of(second, 0, 7, ROWS - 1), expected)


def test_a_table_that_differs_in_one_number_keeps_its_own(tmp_path: Path) -> None:
    values = table(1)
    first = looking_up(tmp_path, "a", values)
    values[ROWS - 1, WIDTH - 1] += 1
    other = looking_up(tmp_path, "b", values)
    assert share_tables(first, tmp_path / "a.bin") == 0
    assert share_tables(other, tmp_path / "b.bin") == 0
    assert place_of(first) != place_of(other)
    assert np.array_equal(rows_of(other, ROWS - 1)[0], values[ROWS - 1].astype(np.float32))


def test_one_of_another_shape_keeps_its_own(tmp_path: Path) -> None:
    values = table(1)
    share_tables(looking_up(tmp_path, "a", values), tmp_path / "a.bin")
    turned = np.ascontiguousarray(values.reshape(WIDTH, ROWS))
    assert share_tables(looking_up(tmp_path, "b", turned), tmp_path / "b.bin") == 0


def test_a_small_one_is_not_looked_at(tmp_path: Path) -> None:
    values = table(1)[:10]
    for name in ("a", "b"):
        model = looking_up(tmp_path, name, values)
        assert share_tables(model, tmp_path / f"{name}.bin") == 0
