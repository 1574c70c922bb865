"""``make bench``: what a customer and an operator feel, and how far that is from the possible.

python -m tests.bench                        everything but the soak, about 16 minutes on 2 cores
python -m tests.bench --only engines turns   parts of it
python -m tests.bench --quick                few turns, to see that it works
python -m tests.bench --soak 60              turns for an hour instead

Each part runs in a process of its own: one that fails leaves the figures of the others, and
``--write`` replaces in ``docs/performance.json`` only what was measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import parts

DOCS = Path(__file__).parents[2] / "docs"
PART_S = 900.0
"""A part that takes longer hangs; on two quiet cores the longest takes five minutes."""


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data_dir or Path(temporary)
        if arguments.part:
            found = parts.measure(arguments.part, folder, arguments)
            arguments.out.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
            return 0
        return _all(arguments, folder)


def _all(arguments: argparse.Namespace, folder: Path) -> int:
    names = ["soak"] if arguments.soak else ["machine", *arguments.only]
    found: dict[str, Any] = {}
    failed = []
    for name in names:
        started = time.monotonic()
        made = _apart(name, arguments, folder)
        seconds = round(time.monotonic() - started)
        print(f"{name}: {'failed' if made is None else 'done'} after {seconds} s", file=sys.stderr)
        if made is None:
            failed.append(name)
            continue
        found[name] = made
        if arguments.write:
            _write(found)
    print(json.dumps(found, indent=1, ensure_ascii=False))
    return 1 if failed else 0


def _apart(name: str, arguments: argparse.Namespace, folder: Path) -> Any | None:
    """What the part measured in a process of its own; None if it failed, which it has said."""
    out = folder / f"bench-{name}.json"
    out.unlink(missing_ok=True)
    limit = PART_S + arguments.soak * 60
    given = [a for a in sys.argv[1:] if a != "--write"]
    own = ["--part", name, "--out", str(out), "--data-dir", str(folder)]
    try:
        subprocess.run([sys.executable, "-m", "tests.bench", *given, *own], timeout=limit)
    except subprocess.TimeoutExpired:
        print(f"{name} did not end within {limit:.0f} s", file=sys.stderr)
    return json.loads(out.read_text(encoding="utf-8")) if out.exists() else None


def _write(found: dict[str, Any]) -> None:
    from tests.bench.report import plots, tables, write_into

    file = DOCS / "performance.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    known |= found
    file.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_into(DOCS / "performance.md", tables(known))
    plots(known, DOCS / "images")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=parts.NAMES, default=list(parts.NAMES))
    parser.add_argument("--turns", type=int, default=60, help="questions for each number")
    parser.add_argument("--customers", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--prompts", type=int, default=100, help="for the equality of answers")
    parser.add_argument("--tokens", type=int, default=96, help="written by each engine request")
    parser.add_argument("--plain", type=int, default=12, help="questions to the plain program")
    parser.add_argument(
        "--llama", type=Path, metavar="PYTHON", help="one with llama-cpp-python, to compare with"
    )
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--quick", action="store_true", help="few turns and prompts")
    parser.add_argument("--data-dir", type=Path, help="default: an empty one, deleted afterwards")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md and .json")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.turns, arguments.customers = 6, [1, 4]
        arguments.prompts, arguments.tokens, arguments.plain = 12, 16, 2
    return arguments


if __name__ == "__main__":
    sys.exit(main())
