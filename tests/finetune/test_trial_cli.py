"""``finetune trial``: customers meet a candidate only behind the gate of a promotion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chatbot.answering.experiment import Experiments
from chatbot.answering.served import AnswerRegistry
from chatbot.errors import BadInput, Conflict, NotFound
from chatbot.settings import Settings, load_settings
from finetune.candidate import Judgement
from finetune.trial_cli import app
from tests.answering.test_served import adapter_in, small_base
from tests.finetune.test_promotion import audited, evaluation, judgement

__all__ = ["small_base"]


@pytest.fixture
def settings(tmp_path: Path, small_base: Path) -> Settings:
    settings = load_settings({}, data_dir=tmp_path / "data", answer_model=str(small_base))
    AnswerRegistry.of(settings).register("v1", adapter_in(tmp_path / "v1"), small_base, {})
    return settings


def run(settings: Settings, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--data-dir", str(settings.data_dir)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def judging(monkeypatch: pytest.MonkeyPatch, found: Judgement | None) -> None:
    def judge(*_: Any, **__: Any) -> Judgement:
        assert found is not None, "nothing was to be judged"
        return found

    monkeypatch.setattr("finetune.trial_cli.judge_with_progress", judge)


def test_an_ab_test_passes_the_gate_first(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, judgement(tmp_path, evaluation("v1", 0.5)))
    with pytest.raises(Conflict, match="v1 is not promoted, it is worse"):
        run(settings, "start", "v1", "--mode", "ab")
    assert Experiments.of(settings).current() is None
    assert audited(settings) == []
    judging(monkeypatch, judgement(tmp_path, evaluation("v1", 0.8)))
    assert "ab: v1 for 10% of the conversations" in run(settings, "start", "v1", "--mode", "ab")
    [(action, subject, data)] = audited(settings)
    assert (action, subject) == ("answers.trial_started", "v1")
    assert data["evaluated"] == "rows"


def test_an_override_is_audited_with_its_reason(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, None)
    reason = ("--override", "the old one names a closed shop")
    run(settings, "start", "v1", "--mode", "ab", "--share", "0.5", *reason)
    [(_, _, data)] = audited(settings)
    assert data["override"] == reason[1]
    assert data["share"] == 0.5


def test_a_shadow_is_seen_by_nobody_and_begins_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, None)
    assert "shadow: v1 for 100%" in run(settings, "start", "v1")
    found = json.loads(run(settings, "status", "--json"))
    assert (found["mode"], found["candidate"], found["drafts"]) == ("shadow", "v1", 0)
    with pytest.raises(Conflict, match="an experiment with v1 runs; stop it first"):
        run(settings, "start", "v1", "--mode", "ab")
    assert "ended: v1" in run(settings, "stop", "--why", "seen enough")
    assert "no experiment runs" in run(settings, "status")
    with pytest.raises(Conflict, match="no experiment runs"):
        run(settings, "stop")
    assert [row[0] for row in audited(settings)] == ["answers.trial_started", "answers.trial_ended"]


def test_what_cannot_be_tried_is_named_before_anything_is_judged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging(monkeypatch, None)
    with pytest.raises(NotFound, match="no answer model 'v9'; registered: v1"):
        run(settings, "start", "v9", "--mode", "ab")
    with pytest.raises(BadInput, match="a share lies between 0 and 1, got 2"):
        run(settings, "start", "v1", "--mode", "ab", "--share", "2")
    assert "'half'; use shadow or ab" in run(settings, "start", "v1", "--mode", "half")
    AnswerRegistry.of(settings).point("serving", "v1")
    with pytest.raises(Conflict, match="v1 serves already"):
        run(settings, "start", "v1", "--mode", "ab")
