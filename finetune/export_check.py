"""``finetune evaluate export``: size, quality and greedy equality of each exported form.

The reference is the merged model in float32, read by transformers. Every form answers the same
prompts greedily, run by OpenVINO in float32, so that only the file differs.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from chatbot.answering.engine import Engine
from chatbot.answering.gguf_file import Precision, write_gguf
from chatbot.settings import Settings, load_settings
from finetune.answers_eval import judge_all
from finetune.answers_judge import Judged
from finetune.answers_rows import AnswerRow
from finetune.export_rounding import rounding

FORMS: tuple[Precision, ...] = ("f16", "q8_0", "q4_1")
REFERENCE = "merged float32"


def check_exports(
    settings: Settings, rows: Sequence[AnswerRow], done: Any = lambda form: None
) -> list[dict[str, Any]]:
    """One line a form: megabytes, share of answers equal to the reference word for word, the
    quality figures, and ``rounding`` (``export_rounding``). The first line is the reference."""
    from chatbot.answering.base_model import prepare_base_model
    from chatbot.answering.served import resolve_adapter

    base, adapter = prepare_base_model(settings), resolve_adapter(settings)
    tokens = settings.max_new_tokens

    def answers(engine: Engine, form: str) -> list[Judged]:
        async def run() -> list[Judged]:
            try:
                return await judge_all(rows, engine, tokens, lambda: done(form))
            finally:
                await engine.close()

        return asyncio.run(run())

    reference = answers(_reference(base, adapter), REFERENCE)
    lines = [_line(REFERENCE, None, reference, reference)]
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            file = Path(folder) / f"{form}.gguf"
            write_gguf(base, adapter, file, form)
            found = answers(_exported(base, file, form), form)
            line = _line(f"GGUF {form}", file.stat().st_size, found, reference)
            lines.append({**line, "rounding": rounding(base, adapter, form)})
            file.unlink()
    return lines


def _reference(base: Path, adapter: Path | None) -> Engine:
    from chatbot.answering.transformers_engine import TransformersEngine, load_model

    model, tokenizer = load_model(base, adapter, precision="float32")
    return TransformersEngine(model, tokenizer, REFERENCE, max_waiting=64)


def _exported(base: Path, file: Path, form: str) -> Engine:
    from transformers import AutoTokenizer

    from chatbot.answering.openvino_engine import OpenVINOEngine
    from chatbot.answering.openvino_process import PipelineOptions
    from chatbot.answering.tokens import stop_ids

    tokenizer = AutoTokenizer.from_pretrained(base)
    options = PipelineOptions(exact=True)
    stops = stop_ids(base, tokenizer)
    return OpenVINOEngine(file, tokenizer, stops, form, max_waiting=64, options=options)


def _line(
    form: str, size: int | None, found: Sequence[Judged], reference: Sequence[Judged]
) -> dict[str, Any]:
    pairs = zip(found, reference, strict=True)
    answered = [one for one in found if not one.due]
    return {
        "form": form,
        "megabytes": None if size is None else round(size / 1e6, 1),
        "equal": round(sum(a.answer == b.answer for a, b in pairs) / len(found), 4),
        "right": round(sum(one.right for one in answered) / max(1, len(answered)), 4),
        "supported": _share([one.supported for one in found]),
        "n": len(found),
    }


def _share(values: Sequence[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None


def evaluate_export_command(
    data: Annotated[
        list[Path] | None, typer.Option(help="Rows to ask; default: the promotion's questions.")
    ] = None,
    prompts: Annotated[int, typer.Option(min=1, help="How many.")] = 250,
    adapter: Annotated[str, typer.Option(help="As CHATBOT_ANSWER_ADAPTER.")] = "default",
    report: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")] = None,
) -> None:
    """Size, quality and greedy equality of GGUF F16, Q8_0 and Q4 with the merged model."""
    from chatbot.answering.served import AnswerRegistry
    from finetune.candidate_rows import Size, asked
    from finetune.probes import Counts
    from finetune.report import Section, write_report

    settings = load_settings(data_dir=data_dir, answer_adapter=adapter)
    kept = AnswerRegistry.of(settings).root / "evaluations"
    rows = asked(settings, Size(prompts, Counts(0, 0, 0)), data or (), kept).rows
    with Progress(console=Console(stderr=True)) as progress:
        tasks = {form: progress.add_task(form, total=len(rows)) for form in (REFERENCE, *FORMS)}
        lines = check_exports(settings, rows, lambda form: progress.advance(tasks[form]))
    if report is not None:
        about = "Greedy answers to the same prompts; 'equal' is word for word with the reference."
        write_report(report, "Exported forms", about, {}, [Section("Forms", "", lines)])
    print(json.dumps(lines, indent=1))
