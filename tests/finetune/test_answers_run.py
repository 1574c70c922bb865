"""Where a run goes, who is told of its curves, and what a machine lacks for it."""

from __future__ import annotations

import importlib.machinery
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from chatbot.errors import SetupError
from finetune import answers_model, answers_run
from finetune.answers_recipe import AnswersRecipe
from finetune.answers_rows import write_rows
from finetune.answers_run import check_launcher, reporters
from tests.finetune.tiny import colour_rows

# Set by what is called below; put back by the fixture.
NAMES = ("TENSORBOARD_LOGGING_DIR", "WANDB_DIR", "WANDB_MODE", "MLFLOW_TRACKING_URI")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "set")
        monkeypatch.delenv(name)


def installed(*names: str) -> object:
    def find(name: str) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, None) if name in names else None

    return find


def test_weights_and_biases_and_mlflow_are_told_where_they_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_run, "find_spec", installed())
    assert reporters(tmp_path) == ["tensorboard"]
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(answers_run, "find_spec", installed("wandb", "mlflow"))
    assert reporters(tmp_path) == ["tensorboard", "wandb", "mlflow"]
    assert os.environ["WANDB_MODE"] == "offline"
    assert os.environ["MLFLOW_TRACKING_URI"] == (tmp_path / "mlruns").resolve().as_uri()


def test_an_account_of_weights_and_biases_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_run, "find_spec", installed("wandb"))
    monkeypatch.setenv("WANDB_API_KEY", "key")
    reporters(tmp_path)
    assert "WANDB_MODE" not in os.environ


def test_one_process_in_place_of_several_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_launcher()
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    with pytest.raises(SetupError, match="torchrun --nproc-per-node N"):
        check_launcher()
    monkeypatch.setenv("WORLD_SIZE", "2")
    check_launcher()


def test_qlora_names_the_package_that_is_missing(
    small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(AnswersRecipe(), method="qlora")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SetupError, match="needs a GPU; on a CPU use method = 'lora'"):
        answers_model.trainable_model(recipe, small_base, None, 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(answers_model, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match="pip install bitsandbytes"):
        answers_model.trainable_model(recipe, small_base, None, 1)


def test_a_machine_without_the_training_packages_is_told_what_to_install() -> None:
    script = (
        "import sys\n"
        "sys.argv = ['finetune', 'sweep', '--help']\n"
        "from finetune import __main__ as program\n"
        "def without(*_): raise ModuleNotFoundError('no trl', name='trl')\n"
        "program._register = without\n"
        "program.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert "the package 'trl' is not installed" in done.stderr
    assert '".[finetune]"' in done.stderr


@pytest.mark.full
def test_two_processes_share_the_rows(tmp_path: Path, small_base: Path) -> None:
    rows, recipe = tmp_path / "rows.jsonl", tmp_path / "recipe.toml"
    write_rows(rows, colour_rows(16))
    recipe.write_text("[answers]\nrank = 2\nbatch_size = 2\nmax_tokens = 700\n")
    program = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone",
        "-m", "finetune", "answers", "--cpu", "--data", str(rows), "--config", str(recipe),
        "--out", str(tmp_path / "out"), "--data-dir", str(tmp_path / "data"),
    ]  # fmt: skip
    environment = {**os.environ, "CHATBOT_ANSWER_MODEL": str(small_base), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    assert '"steps": 2' in done.stdout  # 8 sequences in batches of 2, on 2 processes
    assert done.stdout.count('"steps"') == 1
