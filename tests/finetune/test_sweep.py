from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.answering.served import check_adapter
from chatbot.errors import SetupError
from finetune.answers import AnswersRecipe
from finetune.sweep import SweepSpace, load_space, sweep
from finetune.throughput import throughput
from tests.finetune.tiny import colour_rows

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore:.*experimental.*", "ignore:.*JournalStorage.*"
)

RECIPE = AnswersRecipe(rank=4, alpha=8, batch_size=4, log_every_steps=1, max_tokens=700)


def test_a_sweep_names_the_best_trial_and_goes_on_where_it_stopped(
    tmp_path: Path, small_base: Path
) -> None:
    def run(trials: int) -> dict[str, object]:
        rows, dev = colour_rows(8), colour_rows(2)
        return sweep(RECIPE, rows, dev, tmp_path, base=small_base, trials=trials, cpu=True)

    first = run(1)
    assert first["recipe"] == {"rank": 4, "learning_rate": 8e-4, "epochs": 1.0}
    second = run(2)
    assert len(second["trials"]) == 2  # type: ignore[arg-type]
    assert second["dev_loss"] == min(t["dev_loss"] for t in second["trials"])  # type: ignore
    check_adapter(Path(str(second["best"])), small_base)
    with pytest.raises(SetupError, match="--dev FILE"):
        sweep(RECIPE, colour_rows(2), [], tmp_path / "b", base=small_base, trials=1)


def test_the_recipe_says_what_is_searched(tmp_path: Path, small_base: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[sweep]\nranks = [2]\nlearning_rates = [1e-3, 2e-3]\nepochs = [0.5]\n")
    space = load_space(recipe)
    found = sweep(
        RECIPE, colour_rows(8), colour_rows(2), tmp_path / "out",
        base=small_base, trials=1, space=space, cpu=True,
    )  # fmt: skip
    assert found["recipe"] == {"rank": 4, "learning_rate": 1e-3, "epochs": 0.5}
    assert load_space(None) == SweepSpace()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rank = [2]", "unknown key 'rank' in .*known: ranks, learning_rates, epochs"),
        ("ranks = []", "ranks must be a list of positive numbers"),
        ("ranks = [2.5]", "ranks must be whole numbers"),
        ("epochs = [0]", "epochs must be a list of positive numbers"),
        ("learning_rates = [1e-3]", r"learning_rates must be \[lowest, highest\]"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"[sweep]\n{content}\n")
    with pytest.raises(SetupError, match=message):
        load_space(recipe)


def test_throughput_compares_with_a_bare_loop_on_the_same_sequences(small_base: Path) -> None:
    found = throughput(RECIPE, colour_rows(16), small_base, 2, cpu=True)
    assert found["sequences"] == 8
    assert found["ratio"] > 0
