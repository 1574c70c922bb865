from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerState

import finetune
from chatbot.answering.base_model import base_digest
from chatbot.answering.served import check_adapter
from chatbot.answering.transformers_engine import load_model
from chatbot.errors import Conflict, SetupError
from finetune.answers import AnswersRecipe, remedies, train_answers
from finetune.answers_callbacks import BestKept
from finetune.answers_recipe import load_recipe
from finetune.answers_rows import write_rows
from finetune.answers_trainer import last_checkpoint
from tests.finetune.tiny import colour_rows, tiny_base

# peft and trl ask transformers for names that its next major release drops.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

RECIPE = AnswersRecipe(
    rank=4, alpha=8, learning_rate=5e-3, epochs=2, batch_size=2, max_tokens=700,
    save_every_steps=2, log_every_steps=1, dropout=0.1,
)  # fmt: skip


def train(out: Path, base: Path, recipe: AnswersRecipe = RECIPE, **more: Any) -> dict[str, Any]:
    return train_answers(recipe, colour_rows(24), out, base=base, cpu=True, **more)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "adapter_model.safetensors")


@pytest.mark.parametrize("method", ["lora", "rslora", "dora"])
def test_an_adapter_of_each_kind_learns_and_can_be_served(
    method: str, tmp_path: Path, small_base: Path
) -> None:
    metrics = train(tmp_path / "out", small_base, replace(RECIPE, method=method))
    assert metrics["loss_last"] < metrics["loss_first"]
    assert check_adapter(tmp_path / "out", small_base).rank == 4
    load_model(small_base, tmp_path / "out", precision="float32")
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_adalora_gives_up_ranks_and_serves(tmp_path: Path, small_base: Path) -> None:
    metrics = train(tmp_path / "out", small_base, replace(RECIPE, method="adalora"))
    assert metrics["loss_last"] < metrics["loss_first"]
    check_adapter(tmp_path / "out", small_base)
    load_model(small_base, tmp_path / "out", precision="float32")


def test_a_prefix_is_trained_and_refused_where_adapters_are_merged(
    tmp_path: Path, small_base: Path
) -> None:
    recipe = replace(RECIPE, method="prefix", learning_rate=0.05, epochs=4, dropout=0.0)
    metrics = train(tmp_path / "out", small_base, recipe, dev=colour_rows(4))
    assert metrics["dev_losses"][-1][1] < metrics["dev_losses"][0][1]
    with pytest.raises(SetupError, match=r"kind PREFIX_TUNING.*cannot be merged"):
        check_adapter(tmp_path / "out", small_base)


def test_a_full_training_leaves_a_model_that_loads(tmp_path: Path, small_base: Path) -> None:
    train(tmp_path / "out", small_base, replace(RECIPE, method="full"))
    load_model(tmp_path / "out", None, precision="float32")
    assert json.loads((tmp_path / "out" / "training.json").read_text())["rank"] == 4


def test_packing_changes_the_sequences_and_not_what_a_row_sees(
    tmp_path: Path, small_base: Path
) -> None:
    metrics = train(tmp_path / "out", small_base, replace(RECIPE, packing=True, max_tokens=1500))
    assert metrics["sequences"] < 12
    assert metrics["loss_last"] < metrics["loss_first"]


def test_gradient_checkpointing_gives_the_same_weights(tmp_path: Path, small_base: Path) -> None:
    plain, saving = replace(RECIPE, dropout=0.0), replace(RECIPE, gradient_checkpointing=True)
    train(tmp_path / "a", small_base, plain)
    train(tmp_path / "b", small_base, replace(saving, dropout=0.0))
    for name, value in weights(tmp_path / "a").items():
        assert torch.allclose(value, weights(tmp_path / "b")[name], atol=2e-3), name


def test_the_best_weights_are_kept_and_training_stops_early(
    tmp_path: Path, small_base: Path
) -> None:
    wild = replace(RECIPE, learning_rate=0.5, schedule="constant", epochs=20, patience=2)
    wild = replace(wild, eval_every_steps=2, warmup_share=0.0)
    metrics = train(tmp_path / "out", small_base, wild, dev=colour_rows(4))
    losses = dict(metrics["dev_losses"])
    assert metrics["steps"] < 120
    assert metrics["best_step"] == min(losses, key=lambda step: losses[step])
    assert metrics["dev_loss"] == min(losses.values())
    assert metrics["samples"]


def test_a_killed_run_goes_on_to_the_same_result(tmp_path: Path, small_base: Path) -> None:
    whole = train(tmp_path / "whole", small_base, dev=colour_rows(4))
    rows, dev = tmp_path / "rows.jsonl", tmp_path / "dev.jsonl"
    write_rows(rows, colour_rows(24))
    write_rows(dev, colour_rows(4))
    out = tmp_path / "killed"
    script = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from pathlib import Path\n"
        "from finetune.answers import train_answers\n"
        "from finetune.answers_rows import read_rows\n"
        "from tests.finetune.test_answers_training import RECIPE\n"
        "rows, dev, out, base = map(Path, sys.argv[1:])\n"
        "train_answers(RECIPE, read_rows([rows]), out, base=base, dev=read_rows([dev]), cpu=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, rows, dev, out, small_base], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 240
    while not (out / "checkpoints" / "checkpoint-8" / "whole").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "adapter_model.safetensors").exists()
    resumed = train(out, small_base, dev=colour_rows(4), resume=True)
    assert resumed["loss_last"] == pytest.approx(whole["loss_last"], abs=1e-3)
    assert resumed["steps"] == whole["steps"]
    for name, value in weights(tmp_path / "whole").items():
        assert torch.allclose(value, weights(out)[name], atol=1e-3), name


def test_a_torn_checkpoint_is_passed_over(tmp_path: Path) -> None:
    for step, whole in ((2, True), (10, True), (12, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if whole:
            (folder / "whole").touch()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert not (tmp_path / "checkpoint-12").exists()


def test_an_unfinished_run_is_neither_lost_nor_gone_on_with_as_another(
    tmp_path: Path, small_base: Path
) -> None:
    out = tmp_path / "out"
    (out / "checkpoints" / "checkpoint-2").mkdir(parents=True)
    (out / "checkpoints" / "checkpoint-2" / "whole").touch()
    (out / "run.json").write_text(json.dumps(_about(small_base, rank=4)))
    with pytest.raises(Conflict, match="unfinished run; go on with --resume"):
        train(out, small_base)
    with pytest.raises(Conflict, match="data_sha256 differs"):
        train(out, small_base, resume=True)
    (out / "run.json").write_text("{")
    with pytest.raises(SetupError, match=r"run\.json cannot be read.*delete it and begin again"):
        train(out, small_base, resume=True)
    (out / "run.json").unlink()
    with pytest.raises(Conflict, match="no unfinished run to resume"):
        train(out, small_base, resume=True)
    begun = train(out, small_base)  # what lay there is nothing of this run
    assert begun["steps"] == 12


def test_a_finished_result_is_not_overwritten(tmp_path: Path, small_base: Path) -> None:
    out = tmp_path / "out"
    train(out, small_base)
    before = weights(out)
    with pytest.raises(Conflict, match=r"finished result.*give a new folder with --out"):
        train(out, small_base)
    with pytest.raises(Conflict, match=r"finished result.*nothing to resume"):
        train(out, small_base, resume=True)
    assert all(torch.equal(value, weights(out)[name]) for name, value in before.items())


def test_a_run_that_fails_before_its_first_checkpoint_begins_again_in_place(
    tmp_path: Path, small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    out = tmp_path / "out"
    with monkeypatch.context() as small:
        small.setattr("finetune.answers_trainer.answer_logits", no_memory)
        with pytest.raises(SetupError, match=r"batch_size = 1 and accumulate = 2.*begin again"):
            train(out, small_base)
    less = replace(RECIPE, batch_size=1, accumulate=2)
    assert train(out, small_base, less)["steps"] == 12


def test_rows_that_do_not_fit_are_named(
    tmp_path: Path, small_base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long = replace(colour_rows(1)[0], question="Which colour? " * 80)
    rows = [*colour_rows(4), long]
    metrics = train_answers(RECIPE, rows, tmp_path / "out", base=small_base, cpu=True)
    assert (metrics["rows"], metrics["rows_too_long"]) == (4, 1)
    assert "1 of 5 rows do not fit into max_tokens = 700" in caplog.text
    assert "'Which colour? Which colour?" in caplog.text


def test_best_weights_that_cannot_be_kept_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.write_text("a file where a folder should be")
    state = TrainerState(global_step=2, is_world_process_zero=True)
    with pytest.raises(SetupError, match=r"best weights cannot be kept.*--resume"):
        BestKept(folder, 0).on_evaluate(
            None, state, None, metrics={"eval_loss": 1.0}, model=torch.nn.Linear(1, 1)
        )


def _about(base: Path, rank: int) -> dict[str, Any]:
    recipe = asdict(replace(RECIPE, rank=rank))
    about = {"base_digest": base_digest(base), "data_sha256": "other", "recipe": recipe}
    about |= {"command": "answers", "base": base.name}
    return about | {"rank": rank, "started_from": None}


def test_a_loss_that_is_not_a_number_stops_at_once_and_names_the_rate(
    tmp_path: Path, small_base: Path
) -> None:
    broken = tiny_base(tmp_path / "broken")
    state = load_file(broken / "model.safetensors")
    state["model.norm.weight"] = torch.full_like(state["model.norm.weight"], float("nan"))
    save_file(state, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SetupError, match=r"not a number at step 1.*learning_rate \(now 0.005\)"):
        train(tmp_path / "out", broken)
    assert not (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_a_full_disk_is_named_and_what_was_saved_before_stays(
    tmp_path: Path, small_base: Path
) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))  # as a disk that takes no more
    try:
        with pytest.raises(SetupError, match=r"cannot be written.*--resume"):
            train(tmp_path / "out", small_base)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    assert not list((tmp_path / "out").glob("**/adapter_model.safetensors"))
    assert train(tmp_path / "out", small_base, resume=True)["steps"] == 12


def test_too_little_memory_suggests_batch_and_accumulation() -> None:
    with pytest.raises(SetupError, match="batch_size = 1 and accumulate = 2"):
        with remedies(RECIPE):
            raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(SetupError, match="gradient_checkpointing = true"):
        with remedies(replace(RECIPE, batch_size=1)):
            torch.empty(2**60)
    with pytest.raises(RuntimeError, match="something else"):
        with remedies(RECIPE):
            raise RuntimeError("something else")


def test_the_anchor_holds_the_weights_near_their_start(tmp_path: Path, small_base: Path) -> None:
    train(tmp_path / "first", small_base)
    begun = weights(tmp_path / "first")

    def moved(anchor: float) -> float:
        out = tmp_path / f"anchor-{anchor}"
        train(out, small_base, replace(RECIPE, anchor=anchor), start=tmp_path / "first")
        return sum(
            (v.float() - begun[n].float()).pow(2).sum().item() for n, v in weights(out).items()
        )

    assert moved(10.0) < 0.5 * moved(0.0)


def test_the_mean_of_start_and_end_is_saved_where_wanted(tmp_path: Path, small_base: Path) -> None:
    train(tmp_path / "first", small_base)
    begun = weights(tmp_path / "first")
    for share in (0.0, 0.25):
        recipe = replace(RECIPE, start_share=share)
        train(tmp_path / str(share), small_base, recipe, start=tmp_path / "first")
    ended, mixed = weights(tmp_path / "0.0"), weights(tmp_path / "0.25")
    for name, value in mixed.items():
        wanted = 0.75 * ended[name].float() + 0.25 * begun[name].float()
        assert value.float() == pytest.approx(wanted, abs=2e-3)


def test_earlier_rows_are_replayed(tmp_path: Path, small_base: Path) -> None:
    recipe = replace(RECIPE, replay_share=0.25)
    metrics = train(tmp_path / "out", small_base, recipe, replay=colour_rows(40))
    assert metrics["rows_replayed"] == 6
    assert metrics["rows"] == 30


def test_a_start_of_another_rank_or_method_is_refused(tmp_path: Path, small_base: Path) -> None:
    train(tmp_path / "first", small_base)
    with pytest.raises(SetupError, match="has rank 4; set rank = 4"):
        train(tmp_path / "b", small_base, replace(RECIPE, rank=8), start=tmp_path / "first")
    with pytest.raises(SetupError, match="method = 'prefix' begins anew"):
        train(
            tmp_path / "c", small_base, replace(RECIPE, method="prefix"), start=tmp_path / "first"
        )
    with pytest.raises(SetupError, match=r"trained with method = 'lora'.*set method = 'lora'"):
        train(tmp_path / "e", small_base, replace(RECIPE, method="dora"), start=tmp_path / "first")
    other = tiny_base(tmp_path / "other", hidden=64)
    with pytest.raises(SetupError, match="was trained for base"):
        train(tmp_path / "d", other, start=tmp_path / "first")


def test_qlora_says_that_it_needs_a_gpu(
    tmp_path: Path, small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SetupError, match="needs a GPU; on a CPU use method = 'lora'"):
        train(tmp_path / "out", small_base, replace(RECIPE, method="qlora"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[answers]\nranks = 8\n", "unknown key 'ranks'; known: accumulate"),
        ("[answers]\nrank = '8'\n", "rank must be a int, got '8'"),
        ("[answers]\nrank = 0\n", "rank must lie in 1 to 512, got 0"),
        ("[answers]\nmethod = 'lokr'\n", "method is 'lokr'; use one of lora, rslora"),
        ("rank = 8\n", r"'rank' is not known here; keys go below \[answers\]"),
        ("[answers\n", "cannot be read as a recipe"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "recipe.toml").write_text(content)
    with pytest.raises(SetupError, match=message):
        load_recipe(tmp_path / "recipe.toml")


def test_the_recipes_that_come_along_can_be_meant() -> None:
    recipes = sorted((Path(finetune.__file__).parent / "recipes").glob("*.toml"))
    assert {load_recipe(path).method for path in recipes} == {"lora", "rslora", "qlora"}


def test_curves_are_written_for_tensorboard(tmp_path: Path, small_base: Path) -> None:
    train(tmp_path / "out", small_base)
    events = EventAccumulator(str(tmp_path / "out" / "logs"))
    events.Reload()
    assert "train/loss" in events.Tags()["scalars"]
