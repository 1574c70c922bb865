"""``make bench``: what a customer and an operator feel, and how far that is from the possible.

python -m tests.bench                        everything but the soak
python -m tests.bench --only engines turns   parts of it
python -m tests.bench --quick                few turns, to see that it works
python -m tests.bench --soak 60              turns for an hour instead
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from chatbot.answering.engine import GenerationRequest
from chatbot.settings import Settings, load_settings

PARTS = ("engines", "equality", "turns", "stages", "plain")
DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data_dir or Path(temporary)
        found = _measure(arguments, folder)
    text = json.dumps(found, indent=1, ensure_ascii=False)
    print(text)
    if arguments.write:
        from tests.bench.report import plots, tables, write_into

        (DOCS / "performance.json").write_text(text + "\n", encoding="utf-8")
        write_into(DOCS / "performance.md", tables(found))
        plots(found, DOCS / "images")


def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from tests.bench import machine, turns
    from tests.bench.questions import questions

    found: dict[str, Any] = {"machine": machine.describe()}
    asked = questions(arguments.turns)
    if arguments.soak:
        found["soak"] = turns.soak(folder, asked, arguments.soak)
        return found
    if "turns" in arguments.only:
        found["turns"] = turns.whole_turns(folder, asked, arguments.customers)
    settings = load_settings({}, data_dir=folder)
    rest = set(arguments.only) - {"turns"}
    if rest:
        _in_process(arguments, settings, asked, found)
    return found


def _in_process(
    arguments: argparse.Namespace, settings: Settings, asked: list[str], found: dict[str, Any]
) -> None:
    from tests.bench import engines, equality, plain_program
    from tests.bench.questions import questions

    only = set(arguments.only)
    requests: list[GenerationRequest] = []
    if only & {"stages", "engines", "equality"}:
        wanted = questions(arguments.prompts, "dev.jsonl", "train.jsonl")
        requests = _with_desk(settings, asked, wanted, only, found)
    if "engines" in only:
        found["engines"] = engines.compare(settings, requests[:16], arguments.tokens)
        found["engines"]["limit"] = engines.limits(settings, found["machine"]["bandwidth_gb_s"])
    if "equality" in only:
        found["equality"] = equality.equal_answers(settings, requests)
    if "plain" in only:
        some = asked[: max(4, len(asked) // 4)]
        found["plain"] = [
            plain_program.measure(settings, some, [1, 8], tokens) for tokens in (64, 24)
        ]


def _with_desk(
    settings: Settings, asked: list[str], wanted: list[str], only: set[str], found: dict[str, Any]
) -> list[GenerationRequest]:
    from chatbot.loading import load_desk
    from chatbot.prepare import prepare
    from tests.bench import stages
    from tests.bench.questions import requests_of

    asyncio.run(prepare(settings))
    desk = load_desk(settings)
    try:
        if "stages" in only:
            found["stages"] = stages.shares(desk, asked)
        if only & {"engines", "equality"}:
            return asyncio.run(requests_of(desk, wanted if "equality" in only else wanted[:16]))
        return []
    finally:
        asyncio.run(desk.close())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--turns", type=int, default=60, help="questions for each number")
    parser.add_argument("--customers", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--prompts", type=int, default=250, help="for the equality of answers")
    parser.add_argument("--tokens", type=int, default=96, help="written by each engine request")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--quick", action="store_true", help="few turns and prompts")
    parser.add_argument("--data-dir", type=Path, help="default: an empty one, deleted afterwards")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md and .json")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.turns, arguments.customers = 6, [1, 4]
        arguments.prompts, arguments.tokens = 12, 16
    return arguments


if __name__ == "__main__":
    main()
