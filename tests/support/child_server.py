"""A server in a process of its own that a test may kill: python -m tests.support.child_server."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from chatbot.answering.scripted import ScriptedEngine
from chatbot.settings import load_settings
from chatbot.storage.migrate import migrate
from chatbot.web.app import create_app
from tests.support.desk import ScriptedDesk
from tests.support.office import SECRET
from tests.support.server import ADMIN_KEY

ANSWER = "You have 60 days [1]. Returns by post are free [2]. Refunds take 5 days [1]."


def main(data_dir: str, port: str, database_url: str = "") -> None:
    settings = load_settings(
        {},
        database_url=database_url or None,
        data_dir=Path(data_dir),
        secret_key=SECRET,
        admin_key=ADMIN_KEY,
        turn_lease_s=1.5,
        rate_address="100000/minute",
        rate_new_conversations="1000/minute",
        rate_conversation="1000/minute",
    )
    migrate(settings.resolved_database_url, settings.data_dir)
    desk = ScriptedDesk(ScriptedEngine(ANSWER, delay_s=0.03))
    app = create_app(settings, lambda _settings: desk)
    uvicorn.run(app, port=int(port), log_level="critical")


if __name__ == "__main__":
    main(*sys.argv[1:])
