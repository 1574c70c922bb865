"""``finetune trial start | status | stop``: a candidate in the shadow or in an A/B test."""

from __future__ import annotations

import asyncio
import json
import statistics
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from chatbot.access.session import open_keys
from chatbot.answering.experiment import Experiment, Experiments
from chatbot.answering.served import AnswerRegistry, Promotion, moved
from chatbot.errors import Conflict
from chatbot.learning.promotions import harm, promotion_figures
from chatbot.learning.trials import breached, trial_figures
from chatbot.settings import Settings, load_settings
from finetune.promotion import audited, gate
from finetune.promotion_cli import Data, Full, judge_with_progress

app = typer.Typer(
    help="A candidate beside what serves: drafted in the shadow, or for a share of conversations.",
    no_args_is_help=True,
)
DataDir = Annotated[Path | None, typer.Option(help="As CHATBOT_DATA_DIR.")]
SHADOW_SHARE, AB_SHARE = 1.0, 0.1


@app.command("start")
def start_command(
    version: Annotated[str, typer.Argument(help="A version of 'promote … --candidate'.")],
    mode: Annotated[str, typer.Option(help="shadow: never shown; ab: for --share.")] = "shadow",
    share: Annotated[float | None, typer.Option(help="Of the conversations, 0 to 1.")] = None,
    override: Annotated[
        str | None,
        typer.Option(help="With ab: why customers may read it unevaluated or worse; audited."),
    ] = None,
    data: Data = None,
    full: Full = False,
    data_dir: DataDir = None,
) -> None:
    """A running server takes the candidate in within seconds. Before an A/B test it passes the
    same gate as a promotion: customers read what it writes."""
    if mode not in ("shadow", "ab"):
        raise typer.BadParameter(f"{mode!r}; use shadow or ab", param_hint="--mode")
    kind: Literal["shadow", "ab"] = "ab" if mode == "ab" else "shadow"
    settings = load_settings(data_dir=data_dir)
    wanted = share if share is not None else AB_SHARE if kind == "ab" else SHADOW_SHARE
    experiments = Experiments.of(settings)
    experiments.check(version, wanted)
    about: dict[str, Any] = {"candidate": version, "mode": mode, "share": wanted}
    if kind == "ab":
        adapter = experiments.registry.path(version)
        before = experiments.registry.aliases().get("serving")
        judged = gate(
            version, adapter, override, lambda path: judge_with_progress(data_dir, path, data, full)
        )
        now = experiments.registry.aliases().get("serving")
        if now != before:
            raise Conflict(moved("serving", before, now))
        about |= {
            "override": override,
            "evaluated": None if judged is None else judged.candidate.rows_digest,
        }
    audited(settings, "answers.trial_started", version, about)
    experiments.start(kind, version, wanted)
    print(f"{mode}: {version} for {wanted:.0%} of the conversations")


@app.command("status")
def status_command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    data_dir: DataDir = None,
) -> None:
    """What the candidate did so far, beside what serves; without one, what the last promotion
    did, beside the days before it."""
    settings = load_settings(data_dir=data_dir)
    running = Experiments.of(settings).current()
    promotion = AnswerRegistry.of(settings).promotion()
    if running is not None:
        head = f"{running.mode}: {running.candidate} for {running.share:.0%} of the conversations"
        about: dict[str, str] = {"mode": running.mode, "candidate": running.candidate}
        found = _figures(settings, running)
    elif promotion is not None:
        head = f"no experiment runs; {promotion.version} ('candidate') since it was promoted"
        about = {"mode": "promoted", "candidate": promotion.version}
        found = _promoted(settings, promotion)
    else:
        print("{}" if as_json else "no experiment runs")
        return
    if as_json:
        print(json.dumps({**about, **found}))
        return
    print(head)
    for name, value in found.items():
        print(f"{name:16} {json.dumps(value)}")


@app.command("stop")
def stop_command(
    why: Annotated[str, typer.Option(help="For the record.")] = "stopped by hand",
    data_dir: DataDir = None,
) -> None:
    """Every answer comes from what serves again; the figures are kept."""
    settings = load_settings(data_dir=data_dir)
    experiments = Experiments.of(settings)
    running = experiments.current()
    if running is None:
        raise Conflict("no experiment runs")
    experiments.stop(why, _figures(settings, running))
    about = {"candidate": running.candidate, "why": why}
    audited(settings, "answers.trial_ended", running.candidate, about)
    print(f"ended: {running.candidate}")


def shadow_figures(file: Path) -> dict[str, Any]:
    """Over the drafts in the shadow; shares are None before the first."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    rows = [json.loads(line) for line in lines if line.strip()]
    drafts = [row for row in rows if "failed" not in row]

    def share(values: list[bool]) -> float | None:
        return round(sum(values) / len(values), 4) if values else None

    def median(name: str, place: int) -> float | None:
        return statistics.median([row[name][place] for row in drafts]) if drafts else None

    return {
        "drafts": len(drafts),
        "failed": len(rows) - len(drafts),
        "same_answer": share([row["same"] for row in drafts]),
        "alike": round(statistics.mean([r["alike"] for r in drafts]), 4) if drafts else None,
        "figures_shown": share([row["shown_figures"] for row in drafts]),
        "abstained": {
            arm: share([row["abstained"][n] for row in drafts])
            for n, arm in enumerate(("serving", "candidate"))
        },
        "median_words": [median("words", 0), median("words", 1)],
        "median_seconds": [median("seconds", 0), median("seconds", 1)],
    }


def _figures(settings: Settings, running: Experiment) -> dict[str, Any]:
    if running.mode == "shadow":
        return shadow_figures(Experiments.of(settings).shadow_file(running.candidate))

    async def read() -> dict[str, Any]:
        async with open_keys(settings) as keys:
            return await trial_figures(keys.office, running)

    found = asyncio.run(read())
    return {**found, "guard": breached(found) or "holds"}


def _promoted(settings: Settings, promotion: Promotion) -> dict[str, Any]:
    async def read() -> dict[str, Any]:
        async with open_keys(settings) as keys:
            return await promotion_figures(keys.office, promotion)

    found = asyncio.run(read())
    return {**found, "guard": harm(found) or "holds"}
