"""A server in processes of its own that a test may kill:
python -m tests.support.child_server DATA_DIR PORT [DATABASE_URL [WORKERS]], or --forks (see
``children.py``)."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from chatbot.answering.scripted import ScriptedEngine
from chatbot.settings import Settings, load_settings
from chatbot.storage.migrate import migrate
from chatbot.web.app import create_app
from tests.support.desk import ScriptedDesk
from tests.support.office import SECRET
from tests.support.server import ADMIN_KEY

ANSWER = "You have 60 days [1]. Returns by post are free [2]. Refunds take 5 days [1]."
DATA_DIR, DATABASE_URL = "CHILD_DATA_DIR", "CHILD_DATABASE_URL"


def settings() -> Settings:
    return load_settings(
        {},
        database_url=os.environ.get(DATABASE_URL) or None,
        data_dir=Path(os.environ[DATA_DIR]),
        secret_key=SECRET,
        admin_key=ADMIN_KEY,
        turn_lease_s=1.5,
        rate_address="100000/minute",
        rate_new_conversations="1000/minute",
        rate_conversation="1000/minute",
    )


def app() -> FastAPI:
    """The factory that each worker calls, as ``server.app`` is."""
    desk = ScriptedDesk(ScriptedEngine(ANSWER, delay_s=0.03))
    return create_app(settings(), lambda _settings: desk)


def main(data_dir: str, port: str, database_url: str = "", workers: str = "1") -> None:
    os.environ |= {DATA_DIR: data_dir, DATABASE_URL: database_url}
    found = settings()
    migrate(found.resolved_database_url, found.data_dir)
    uvicorn.run(
        "tests.support.child_server:app",
        factory=True,
        port=int(port),
        workers=int(workers),
        log_level="critical",
    )


def serve_forks() -> None:
    """Forks a server for each line that it reads, and prints its pid; ends with its input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who was killed leaves nothing behind
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 0)
            os.dup2(nowhere, 1)
            main(*line.rstrip("\n").split("\t"))
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--forks"]:
        serve_forks()
    else:
        main(*sys.argv[1:])
