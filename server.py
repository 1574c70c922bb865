"""Starts the server: ``python server.py [--host H] [--port P] [--workers N]``.

The first start prepares models and knowledge in the data directory; later ones find them there.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import socket
import sys
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the pool of threads is ours

from fastapi import FastAPI

from chatbot.errors import DeskgateError, SetupError
from chatbot.settings import PREFIX, Settings, load_settings


def app() -> FastAPI:
    """The factory that each uvicorn worker calls; settings come from the environment."""
    from chatbot.loading import load_desk
    from chatbot.web.app import create_app
    from knowledge_base.mapped import hold_little_memory

    hold_little_memory()

    settings = load_settings()
    _quiet(settings)
    return create_app(settings, load_desk)


def main() -> int:
    parser = argparse.ArgumentParser(description="Serve the chatbot.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, help="instead of CHATBOT_DATA_DIR")
    parser.add_argument("--company", type=Path, help="instead of CHATBOT_COMPANY")
    arguments = parser.parse_args()
    for name in ("data_dir", "company"):
        value = getattr(arguments, name)
        if value is not None:
            os.environ[PREFIX + name.upper()] = str(value)
    try:
        settings = load_settings()
        _quiet(settings)
        _port_is_free(arguments.host, arguments.port)
        _prepare(settings, f"http://{arguments.host}:{arguments.port}")
    except DeskgateError as error:
        print(f"error: {error.detail}", file=sys.stderr)
        return 2
    import uvicorn

    uvicorn.run(
        "server:app",
        factory=True,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    return 0


def _prepare(settings: Settings, address: str) -> None:
    """Everything that must exist before a worker starts, once, with a line for each step."""
    from chatbot.company import load_company
    from chatbot.first_start import is_first, prepare_apart
    from chatbot.prepare import check_room, prepare

    load_company(settings.company)
    check_room(settings)
    first = is_first(settings)
    if first:
        prepare_apart()  # says what it does, so that below nothing is said twice

    def say(text: str) -> None:
        if not first:
            print(f"  {text}", flush=True)

    prepared = asyncio.run(prepare(settings, say))
    print(f"\n{prepared.company} is served at")
    print(f"  {address}/               the demo shop with the widget")
    print(f"  {address}/console        review queue and conversations")
    print(f"  {address}/assist/panel   help for agents beside another tool")
    print(f"  {address}/docs           the HTTP interface")
    if prepared.admin_key is not None:
        print("\nAdmin key, shown only this once (sign in to the console with it):")
        print(f"  {prepared.admin_key}")
    print("\nLoading models …", flush=True)


def _port_is_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"port {port} is in use; choose another with PORT= or --port"
            else:
                reason = f"cannot listen on {host}:{port}: {error.strerror}"
            raise SetupError(reason) from None


def _quiet(settings: Settings) -> None:
    level = getattr(logging, settings.log_level.upper())
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("alembic", "httpx", "transformers", "presidio-analyzer", "faiss"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
