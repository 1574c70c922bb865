"""The figures as text for ``docs/performance.md`` and as plots."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import targets

BEGIN, END = "<!-- figures: make bench -->", "<!-- end of figures -->"


def tables(found: dict[str, Any]) -> str:
    """Markdown: every part that was measured, a table each."""
    return "\n".join(_lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    machine = found["machine"]
    yield (
        f"{machine['cores']} cores ({', '.join(machine['instructions'])}), memory "
        f"{machine['bandwidth_gb_s']} GB/s, load {machine['load_before']} before the run."
    )
    yield "\n### Targets\n"
    yield "| | target | measured | |\n|---|---|---|---|"
    for line in targets.lines(found):
        sign = {True: "met", False: "missed", None: "not measured"}[line.met]
        yield f"| {line.figure} | {line.target} | {line.measured} | {sign} |"
    if "engines" in found:
        engines = found["engines"]
        yield from _table("Engine alone, token by token", _engines(engines))
        limit = engines["limit"]["tokens_per_s_at_most"]
        yield f"\nThe memory allows {limit} tokens/s for one request at f16."
        if "answers" in engines:
            yield from _table("Whole answers of the engine that serves", engines["answers"])
    if "turns" in found:
        rows = {n: r for n, r in found["turns"].items() if n.startswith("customers_")}
        yield from _table("Whole turns over HTTP", rows)
        starts = found["turns"]
        memory = starts["memory_at_start_mb"]
        yield (
            f"\nFirst start {starts['first_start_s']} s, later {starts['later_start_s']} s; "
            f"then {memory['rss']} MB resident in both processes, {memory['pss']} MB with shared "
            "pages counted once."
        )
    for people, rows in found.get("stages", {}).items():
        yield from _table(f"Stages of a turn, {people} at once", rows)
    for plain in found.get("plain", ()):
        rows = {n: r for n, r in plain.items() if n.startswith("customers_")}
        yield from _table(f"The plain program, {plain['new_tokens']} new tokens", rows)
    if "equality" in found:
        equal = found["equality"]
        rows = {n: {"equal": v} for n, v in equal.items() if n not in ("different", "requests")}
        title = f"Greedy answers equal to transformers' in float32, {equal['requests']} at once"
        yield from _table(title, rows)
    if "soak" in found:
        rows = {str(n): row for n, row in enumerate(found["soak"]["tenths"], 1)}
        yield from _table(f"Soak of {found['soak']['minutes']:g} minutes, by tenths", rows)


def _engines(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: row for name, row in found.items() if name not in ("limit", "answers")}


def _table(title: str, rows: dict[str, dict[str, Any]]) -> Iterator[str]:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    yield f"\n### {title}\n"
    yield f"| | {' | '.join(column.replace('_', ' ') for column in columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for name, row in rows.items():
        cells = (_cell(row.get(column)) for column in columns)
        yield f"| {name.replace('_', ' ')} | {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " / ".join(str(part) for part in value.values())
    return "" if value is None else str(value)


def write_into(page: Path, text: str) -> None:
    """Replaces what stands between the two marks of the page."""
    content = page.read_text(encoding="utf-8")
    if BEGIN not in content or END not in content:
        raise SystemExit(f"{page} has no {BEGIN} … {END}")
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{BEGIN}\n{text}\n{END}", content), encoding="utf-8")


def plots(found: dict[str, Any], folder: Path) -> list[Path]:
    """PNG files: tokens a second by engine, seconds by customers, memory and seconds of a soak."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    if "engines" in found:
        figure, axes = plt.subplots(figsize=(7, 4))
        for name, row in _engines(found["engines"]).items():
            rates = {n: row.get(f"tokens_per_s_{n}") for n in (1, 4, 8)}
            known = [(n, rate) for n, rate in rates.items() if rate is not None]
            axes.plot(*zip(*known, strict=True), "o-", label=name)
        axes.set(xlabel="requests at once", ylabel="tokens/s", title="Engine alone", ylim=(0, None))
        axes.legend()
        made.append(folder / "bench-engines.png")
        figure.savefig(made[-1], dpi=120, bbox_inches="tight")
        plt.close(figure)
    if "turns" in found:
        rows = [
            (int(n.split("_")[1]), r) for n, r in found["turns"].items() if n.startswith("cust")
        ]
        figure, axes = plt.subplots(figsize=(7, 4))
        for key, label in (
            ("first_sentence_s", "first checked sentence"),
            ("end_s", "whole answer"),
        ):
            for share, style in (("p50", "o-"), ("p95", "o--")):
                points = [(n, row[key][share]) for n, row in rows]
                axes.plot(*zip(*points, strict=True), style, label=f"{label}, {share}")
        axes.set(xlabel="customers at once", ylabel="seconds", title="Whole turns", ylim=(0, None))
        axes.legend()
        made.append(folder / "bench-turns.png")
        figure.savefig(made[-1], dpi=120, bbox_inches="tight")
        plt.close(figure)
    if "soak" in found:
        tenths = found["soak"]["tenths"]
        minutes = [found["soak"]["minutes"] * (n + 0.5) / len(tenths) for n in range(len(tenths))]
        figure, (memory, late) = plt.subplots(2, figsize=(7, 5), sharex=True)
        resident = [tenth["memory_mb"]["rss"] for tenth in tenths]
        memory.plot(minutes, resident, "o-")
        memory.set(ylabel="resident MB", title="Soak", ylim=(0, 1.2 * max(resident)))
        for share, style in (("p50", "o-"), ("p95", "o--")):
            seconds = [tenth["first_sentence_s"][share] for tenth in tenths]
            late.plot(minutes, seconds, style, label=f"first checked sentence, {share}")
        late.set(xlabel="minutes", ylabel="seconds", ylim=(0, None))
        late.legend(loc="lower right")
        made.append(folder / "bench-soak.png")
        figure.savefig(made[-1], dpi=120, bbox_inches="tight")
        plt.close(figure)
    return made
