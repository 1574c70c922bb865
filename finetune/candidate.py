"""A candidate beside what serves and beside the bare base: evaluated once, then kept.

data_dir/models/answers/evaluations/
    BASE-ADAPTER-ROWS-TOKENS.json     answers and figures of one model on one set of rows, of at
                                      most so many tokens
    ….partial.jsonl                   answers so far; an interrupted evaluation goes on from them
    questions-SPLIT-DIGEST.jsonl      the default questions with the passages found for them
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chatbot.answering.base_model import base_digest, prepare_base_model
from chatbot.answering.choice import load_engine
from chatbot.answering.engine import Engine
from chatbot.answering.served import AnswerRegistry, check_adapter, resolve_adapter
from chatbot.errors import BadInput
from chatbot.safety.moderation import Moderator, load_moderator
from chatbot.settings import Settings
from finetune.answers_journal import Journal
from finetune.candidate_compare import Compared, compare
from finetune.candidate_eval import Evaluation, evaluate_model, rows_digest, summary
from finetune.candidate_report import candidate_report
from finetune.candidate_rows import Asked, Size, Split, asked

Progress = Callable[[str, int, int], None]
"""(which model, answers written, of how many)."""


@dataclass(frozen=True)
class Judgement:
    """``report`` is the page to read."""

    compared: tuple[Compared, ...]
    candidate: Evaluation
    serving: Evaluation
    report: Path
    base: Evaluation | None = None

    @property
    def worse(self) -> list[Compared]:
        return [one for one in self.compared if one.worse]

    @property
    def unknown(self) -> list[Compared]:
        return [one for one in self.compared if one.unknown]

    def as_json(self) -> dict[str, Any]:
        return {
            "candidate": self.candidate.model,
            "serving": self.serving.model,
            "rows_digest": self.candidate.rows_digest,
            "may_be_promoted": not self.worse and not self.unknown,
            "figures": [one.as_json() for one in self.compared],
            "models": self._summaries(),
            "report": str(self.report),
        }

    def _summaries(self) -> dict[str, Any]:
        models = {"base": self.base, "serving": self.serving, "candidate": self.candidate}
        return {name: summary(model) for name, model in models.items() if model is not None}


def judge_candidate(
    settings: Settings,
    adapter: Path,
    size: Size,
    *,
    data: Sequence[Path] = (),
    split: Split = "dev",
    report: Path | None = None,
    with_base: bool = True,
    progress: Progress = lambda model, done, total: None,
    load: Callable[[Settings], Engine] = load_engine,
) -> Judgement:
    """Evaluates what is not kept yet and writes the report. ``split`` names the company's
    questions; promotion decides on dev. Raises SetupError where the adapter
    does not fit, BadInput where another server answers."""
    if settings.engine == "openai":
        raise BadInput(
            "CHATBOT_ENGINE=openai: that server chooses its own model; set CHATBOT_ENGINE=auto "
            "for this command"
        )
    base = prepare_base_model(settings)
    check_adapter(adapter, base)
    folder = AnswerRegistry.of(settings).root / "evaluations"
    questions = asked(settings, size, data, folder, split)
    models = _Models(settings, base, folder, questions, progress, load)
    candidate = models.evaluation("candidate", adapter)
    serving = models.evaluation("serving", resolve_adapter(_as(settings, "default")))
    untuned = models.evaluation("base", None) if with_base else None
    compared = compare(serving, candidate)
    page = report or folder / f"{models.key(adapter)}.html"
    candidate_report(
        page, compared, base=untuned, serving=serving, candidate=candidate, adapter=adapter
    )
    return Judgement(tuple(compared), candidate, serving, page, untuned)


class _Models:
    def __init__(
        self,
        settings: Settings,
        base: Path,
        folder: Path,
        questions: Asked,
        progress: Progress,
        load: Callable[[Settings], Engine],
    ) -> None:
        self.settings, self.base, self.folder = settings, base, folder
        self.questions, self.progress, self.load = questions, progress, load
        self._moderator: Moderator | None = None

    def key(self, adapter: Path | None) -> str:
        digest = check_adapter(adapter, self.base).digest if adapter is not None else "none"
        asked_of = rows_digest(self.questions.rows, self.questions.probes)
        longest = self.settings.max_new_tokens
        return f"{base_digest(self.base)}-{digest}-{asked_of}-{longest}"

    def evaluation(self, name: str, adapter: Path | None) -> Evaluation:
        file = self.folder / f"{self.key(adapter)}.json"
        kept = Evaluation.read(file)
        if kept is not None:
            return kept
        if self._moderator is None:
            self._moderator = load_moderator(self.settings)
        chosen = _as(self.settings, str(adapter) if adapter is not None else "none")
        total, written = len(self.questions), 0
        journal = Journal(file.with_suffix(".partial.jsonl"))

        def done() -> None:
            nonlocal written
            written += 1
            self.progress(name, written, total)

        found = evaluate_model(
            self.questions.rows,
            self.questions.probes,
            lambda: self.load(chosen),
            self._moderator,
            max_new_tokens=self.settings.max_new_tokens,
            done=done,
            journal=journal,
        )
        found = replace(found, perplexity=self._perplexity(adapter))
        found.write(file)
        journal.close()
        return found

    def _perplexity(self, adapter: Path | None) -> float | None:
        from finetune.perplexity import perplexity

        return perplexity(self.base, adapter, self.questions.rows)


def _as(settings: Settings, adapter: str) -> Settings:
    return settings.model_copy(update={"answer_adapter": adapter})
