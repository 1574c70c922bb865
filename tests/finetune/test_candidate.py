"""A candidate is asked, judged and compared; what is worse beyond chance is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from chatbot.answering.engine import Engine, GenerationRequest
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.scripted import ScriptedEngine
from chatbot.errors import BadInput, SetupError
from chatbot.safety.moderation import Moderator, load_moderator
from chatbot.settings import Settings, load_settings
from finetune.answers_eval import judge_all
from finetune.answers_journal import Journal
from finetune.answers_rows import AnswerRow, write_rows
from finetune.candidate import judge_candidate
from finetune.candidate_compare import compare, largest_differences
from finetune.candidate_eval import Evaluation, evaluate_model, summary
from finetune.candidate_rows import Size
from finetune.probes import Counts, Probe, probes
from tests.finetune.tiny import colour_rows

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")

ROWS = [*colour_rows(8), AnswerRow("And?", colour_rows(1)[0].passages, ABSTENTION, company="A")]


@pytest.fixture(scope="module")
def moderator(request: pytest.FixtureRequest) -> Moderator:
    data_dir = Path(request.config.cache.mkdir("answer-models"))
    return load_moderator(load_settings({}, data_dir=data_dir))


def good(request: GenerationRequest) -> str:
    asked, shown = request.segments[-1].text, request.segments[-2].text
    if not asked.startswith("Which colour"):
        return ABSTENTION
    return shown.split("\n")[1].rstrip(".") + " [1]."


def bad(request: GenerationRequest) -> str:
    if request.segments[-1].text.startswith("Which colour"):
        return "It costs 14 euros [2]."
    return "You are a stupid fucking idiot, everything is free. Write to anna.kern@post.example."


def evaluated(script: object, moderator: Moderator, asked: list[Probe]) -> Evaluation:
    return evaluate_model(ROWS, asked, lambda: ScriptedEngine(script), moderator)  # type: ignore[arg-type]


def test_truth_and_safety_of_a_good_and_a_bad_model(moderator: Moderator) -> None:
    asked = probes(Counts(baits=4, injections=12, leaks=4))
    first, second = (evaluated(script, moderator, asked) for script in (good, bad))
    figures = summary(first)
    assert figures["right"]["mean"] == figures["cited"]["mean"] == 1.0
    assert figures["supported"]["mean"] == figures["abstained_right"]["mean"] == 1.0
    assert figures["toxic"]["mean"] == figures["leaked"]["mean"] == figures["obeyed"]["mean"] == 0
    assert figures["chrf"] == 100.0
    figures = summary(second)
    assert figures["right"]["mean"] == figures["supported"]["mean"] == 0.0
    assert figures["toxic"]["mean"] > 0.5
    assert figures["leaked"]["mean"] > 0.5
    worse = {one.name for one in compare(first, second) if one.worse}
    assert {"right", "supported", "cited", "toxic", "leaked"} <= worse
    assert not [one for one in compare(second, first) if one.worse]
    assert not [one for one in compare(first, first) if one.worse]
    differing = largest_differences(first, second)
    assert differing[0].better == "serving"
    assert [d.size for d in differing] == sorted((d.size for d in differing), reverse=True)


def test_an_injection_counts_when_what_it_asked_for_is_said(moderator: Moderator) -> None:
    asked = [p for p in probes(Counts(0, 300, 0)) if p.shows == "pineapple"]
    obeying = evaluated("PINEAPPLE.", moderator, asked)
    assert sum(v or 0 for v in obeying.values("obeyed")) == len(asked) == 20


def test_models_that_were_asked_differently_are_not_compared(moderator: Moderator) -> None:
    few = evaluated(good, moderator, [])
    with pytest.raises(ValueError, match="asked different rows"):
        compare(few, evaluated(good, moderator, probes(Counts(1, 0, 0))))


async def test_what_was_answered_before_an_interruption_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "answers.partial.jsonl"
    await judge_all(ROWS[:3], ScriptedEngine(good), journal=Journal(file))
    with file.open("a") as torn:
        torn.write('{"row": 3, "question": "Whi')
    asked_now: list[str] = []

    def counting(request: GenerationRequest) -> str:
        asked_now.append(request.segments[-1].text)
        return good(request)

    journal = Journal(file)
    resumed = await judge_all(ROWS, ScriptedEngine(counting), journal=journal)
    assert len(asked_now) == len(ROWS) - 3
    whole = await judge_all(ROWS, ScriptedEngine(good))
    assert [one.answer for one in resumed] == [one.answer for one in whole]
    assert sorted(Journal(file).known) == list(range(len(ROWS)))
    journal.close()
    assert not file.exists()


def small_adapter(base: Path, folder: Path) -> Path:
    torch.manual_seed(2)
    model = AutoModelForCausalLM.from_pretrained(base)
    get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(str(folder))
    return folder


def settings_for(base: Path, tmp_path: Path) -> Settings:
    return load_settings({}, data_dir=tmp_path / "data", answer_model=str(base))


def test_a_candidate_is_judged_once_and_its_report_is_written(
    tmp_path: Path, small_base: Path, monkeypatch: pytest.MonkeyPatch, moderator: Moderator
) -> None:
    monkeypatch.setattr("finetune.candidate.load_moderator", lambda settings: moderator)
    adapter = small_adapter(small_base, tmp_path / "adapter")
    rows = tmp_path / "rows.jsonl"
    write_rows(rows, ROWS)
    loaded: list[str] = []

    def load(settings: Settings) -> Engine:
        loaded.append(settings.answer_adapter)
        return ScriptedEngine(bad if "adapter" in settings.answer_adapter else good)

    def judged() -> set[str]:
        found = judge_candidate(
            settings_for(small_base, tmp_path), adapter, Size(5, Counts(3, 3, 2)),
            data=[rows], report=tmp_path / "report.html", load=load,
        )  # fmt: skip
        return {one.name for one in found.worse}

    assert {"right", "toxic"} <= judged()
    assert len(loaded) == 2  # the candidate, and the bare base, which serves
    page = (tmp_path / "report.html").read_text()
    for heading in ("Truth and safety", "Largest differences", "Unsafe answers", "perplexity"):
        assert heading in page
    assert {"right", "toxic"} <= judged()
    assert len(loaded) == 2  # kept
    assert not list(tmp_path.glob("**/*.partial.jsonl"))


def test_what_cannot_be_judged_is_refused_by_name(tmp_path: Path, small_base: Path) -> None:
    settings = settings_for(small_base, tmp_path)
    elsewhere = settings.model_copy(update={"engine": "openai"})
    adapter = small_adapter(small_base, tmp_path / "adapter")
    with pytest.raises(BadInput, match="CHATBOT_ENGINE=openai"):
        judge_candidate(elsewhere, adapter, Size(1, Counts(0, 0, 0)))
    with pytest.raises(SetupError, match=r"holds no adapter_config\.json"):
        judge_candidate(settings, tmp_path, Size(1, Counts(0, 0, 0)))


def test_probes_are_the_same_each_time_and_as_many_as_asked() -> None:
    assert probes(Counts()) == probes(Counts())
    kinds = [probe.row.kind for probe in probes(Counts())]
    assert [kinds.count(k) for k in ("bait", "injection", "leak")] == [500, 300, 60]
    assert len({probe.row.question for probe in probes(Counts(500, 0, 0))}) == 500
