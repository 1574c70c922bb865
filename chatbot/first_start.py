"""``python -m chatbot.first_start``: makes the models of an empty data directory, then ends.

Making them takes PyTorch, whose memory a server would keep although it never uses it again. What
this process cannot make, the server tries again and says why.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import typer

from chatbot.errors import DeskgateError
from chatbot.settings import Settings, load_settings


def is_first(settings: Settings) -> bool:
    """Whether models of this data directory are still to be made."""
    made = settings.compiled_dir
    return not (settings.data_dir / "models").exists() or (made is not None and not made.exists())


def prepare_apart() -> None:
    """Does it in a process of its own, with the settings of this one's environment."""
    subprocess.run(
        [sys.executable, "-m", "chatbot.first_start"],
        cwd=Path(__file__).parents[1],
        check=False,
    )


def main() -> int:
    from chatbot.loading import load_desk
    from chatbot.prepare import prepare_models

    async def load_once() -> None:
        await (await asyncio.to_thread(load_desk, settings)).close()

    def say(text: str) -> None:
        typer.echo(f"  {text}")

    try:
        settings = load_settings()
        prepare_models(settings, say)
        say("networks")
        asyncio.run(load_once())
    except DeskgateError:
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
