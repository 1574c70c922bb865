"""A hand-written file in force: read again when it changes, the old content kept if it broke."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from chatbot.errors import SetupError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Watched(Generic[T]):
    """``current`` and ``problem`` are thread-safe; each costs one look at the file's stamp, a few
    microseconds. ``read`` decides what a missing file means."""

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        """Raises SetupError when ``read`` does."""
        self._path, self._read = path, read
        self._lock = Lock()
        self._seen = self._stamp()
        self._content = read(path)
        self._problem: str | None = None

    @property
    def current(self) -> T:
        """The newest content that could be read."""
        stamp = self._stamp()
        with self._lock:
            if stamp != self._seen:
                self._seen = stamp
                try:
                    self._content = self._read(self._path)
                    self._problem = None
                    log.info("%s was read again", self._path.name)
                except SetupError as error:
                    self._problem = f"{error.detail} (what was in force before still is)"
                    log.error("%s is not changed: %s", self._path.name, error.detail)
                except Exception as error:  # a fault of the reader must not stop the turns
                    what = f"it cannot be read ({type(error).__name__}: {error})"
                    self._problem = f"{self._path}: {what} (what was in force before still is)"
                    log.exception("%s is not changed", self._path.name)
            return self._content

    @property
    def problem(self) -> str | None:
        """Why the newest edit is not in force; None when it is."""
        _ = self.current
        return self._problem

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size
