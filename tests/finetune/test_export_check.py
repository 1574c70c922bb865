"""Exported forms are compared with the merged model: size, equality, quality."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.answering.engine import Engine
from chatbot.answering.scripted import ScriptedEngine
from chatbot.settings import load_settings
from finetune import export_check
from finetune.export_check import check_exports
from finetune.synthesis import flatten, synthetic_groups
from tests.finetune.tiny import colour_rows


def test_equality_is_counted_word_for_word_and_quality_beside_it(
    tmp_path: Path, small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [colour_rows(1)[0]] * 4
    answers = {"f16": "It is red [1].", "q8_0": "It is red [1].", "q4_1": "Nothing at all [1]."}

    def exported(base: Path, file: Path, form: str) -> Engine:
        assert file.exists()
        return ScriptedEngine(answers[form])

    def written(base: Path, adapter: Path | None, target: Path, form: str) -> None:
        target.write_bytes(b"0" * 1_500_000)

    monkeypatch.setattr(export_check, "_exported", exported)
    monkeypatch.setattr(export_check, "_reference", lambda *_: ScriptedEngine("It is red [1]."))
    monkeypatch.setattr(export_check, "write_gguf", written)
    settings = load_settings({}, data_dir=tmp_path, answer_model=str(small_base))
    found = check_exports(settings, rows)
    assert [line["form"] for line in found] == [
        "merged float32",
        "GGUF f16",
        "GGUF q8_0",
        "GGUF q4_1",
    ]
    assert [line["equal"] for line in found] == [1.0, 1.0, 1.0, 0.0]
    assert [line["right"] for line in found] == [1.0, 1.0, 1.0, 0.0]
    assert found[1]["megabytes"] == 1.5


@pytest.mark.full
def test_half_precision_answers_as_the_merged_model(request: pytest.FixtureRequest) -> None:
    settings = load_settings({}, data_dir=Path(request.config.cache.mkdir("answer-models")))
    rows = list(flatten(synthetic_groups(8, seed=11)))[:40]
    found = {line["form"]: line for line in check_exports(settings, rows)}
    assert found["GGUF f16"]["equal"] >= 0.97
    assert found["GGUF q8_0"]["equal"] >= 0.9
    assert found["GGUF q4_1"]["megabytes"] < found["GGUF q8_0"]["megabytes"]
