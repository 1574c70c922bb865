"""Snapshots on disk, the pointer to the one that serves, and every article version ever served.

root/current             the serving snapshot's name, replaced atomically
root/snapshots/NAME/     immutable
root/versions/ab/…json   one article version each, never deleted: citations lead there
root/sync.lock           held while a sync runs
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from knowledge_base.article import Article
from knowledge_base.errors import (
    KnowledgeError,
    NoSnapshot,
    SnapshotDamaged,
    SyncRunning,
    UnknownSnapshot,
)
from knowledge_base.files import flush_folder, flush_tree, write_atomically
from knowledge_base.settings import KnowledgeSettings
from knowledge_base.snapshot import Snapshot
from knowledge_base.snapshot_files import load_snapshot, read_manifest, write_manifest
from knowledge_base.vector_store import VectorStores
from knowledge_base.versions import Versions

KEPT = 10  # snapshots to roll back to
_BUILDING = ".building-"
_log = logging.getLogger(__name__)


def open_store(settings: KnowledgeSettings) -> SnapshotStore:
    """The store that the settings ask for. Raises VectorStoreFailed for a bad setting."""
    return SnapshotStore(settings.knowledge_dir, VectorStores.from_setting(settings.vector_store))


class SnapshotStore:
    """Thread-safe. Many processes may read while one writes."""

    def __init__(self, root: Path, vector_stores: VectorStores | None = None) -> None:
        """``vector_stores`` searches by vector in place of FAISS (``CHATBOT_VECTOR_STORE``)."""
        self.root = root
        self.vector_stores = vector_stores
        self._snapshots = root / "snapshots"
        self._pointer = root / "current"
        self._versions = Versions(root / "versions")
        self._loading = Lock()
        self._loaded: Snapshot | None = None
        self._stamp: tuple[int, int, int] | None = None
        self.problem: str | None = None
        """Why the pointer's snapshot cannot be loaded while another one serves."""

    def current(self) -> Snapshot:
        """The serving snapshot; a changed pointer is noticed by one ``stat``.

        While a new snapshot loads, other threads get the former one. A damaged one is logged
        and shown in ``problem``; the former keeps serving, or the newest intact one does.
        Raises NoSnapshot before the first sync, SnapshotDamaged when there is nothing else.
        """
        stamp = self._pointer_stamp()
        loaded = self._loaded
        if loaded is not None and stamp == self._stamp:
            return loaded
        if not self._loading.acquire(blocking=loaded is None):
            return loaded or self.current()
        try:
            return self._load(self._pointer_stamp())
        finally:
            self._loading.release()

    def _load(self, stamp: tuple[int, int, int] | None) -> Snapshot:
        former = self._loaded
        if former is not None and stamp == self._stamp:
            return former
        try:
            name = self.current_name()
            snapshot = former if former and former.name == name else self.load(name)
            problem = None
        except KnowledgeError as error:
            if former is not None:
                snapshot, problem = former, str(error)
            elif isinstance(error, SnapshotDamaged):
                snapshot, problem = self.load_intact()
            else:
                raise
        if problem:
            _log.error("serving snapshot %s: %s", snapshot.name, problem)
        self.problem = problem
        self._loaded, self._stamp = snapshot, stamp
        return snapshot

    def load_intact(self) -> tuple[Snapshot, str | None]:
        """The pointer's snapshot, or the newest intact one and what is wrong with the former.

        Raises NoSnapshot before the first sync, SnapshotDamaged when none is intact.
        """
        name = self.current_name()
        try:
            return self.load(name), None
        except SnapshotDamaged as error:
            problem = error
        for other in reversed(self.names()):
            if other != name:
                try:
                    return self.load(other), str(problem)
                except SnapshotDamaged:
                    _log.error("snapshot %s is damaged too", other)
        raise problem

    def _pointer_stamp(self) -> tuple[int, int, int] | None:
        try:
            state = self._pointer.stat()
        except FileNotFoundError:
            return None
        return state.st_mtime_ns, state.st_ino, state.st_size

    def current_name(self) -> str:
        """Raises NoSnapshot before the first sync."""
        try:
            return self._pointer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise NoSnapshot(
                f"nothing has been synced into {self.root} yet; "
                "run: python -m knowledge_base sync FOLDER"
            ) from None

    def names(self) -> list[str]:
        """Complete snapshots, oldest first (names begin with their UTC time)."""
        if not self._snapshots.is_dir():
            return []
        return sorted(
            folder.name
            for folder in self._snapshots.iterdir()
            if not folder.name.startswith(".") and (folder / "manifest.json").is_file()
        )

    def manifest(self, name: str) -> dict[str, Any]:
        """Raises UnknownSnapshot or SnapshotDamaged."""
        return read_manifest(self._folder(name))

    def load(self, name: str) -> Snapshot:
        """Raises UnknownSnapshot for a name that is not there, SnapshotDamaged."""
        try:
            return load_snapshot(self._folder(name), self.vector_stores)
        except UnknownSnapshot as error:
            raise SnapshotDamaged(str(error)) from None

    def _folder(self, name: str) -> Path:
        if name not in self.names():
            known = ", ".join(self.names()[-KEPT:]) or "none"
            raise UnknownSnapshot(f"there is no snapshot {name!r}; the latest are: {known}")
        return self._snapshots / name

    def rollback(self, name: str) -> Snapshot:
        """Serves an earlier snapshot again, after checking all its files.

        Raises UnknownSnapshot, SnapshotDamaged (then nothing changes), SyncRunning.
        """
        with self.writing():
            snapshot = load_snapshot(self._folder(name), self.vector_stores)
            self._point_to(name)
        return snapshot

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the sync lock; the system frees it when the process dies.

        Raises SyncRunning at once when another process or thread holds it.
        """
        self._snapshots.mkdir(parents=True, exist_ok=True)
        with (self.root / "sync.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise SyncRunning(
                    f"another sync of {self.root} is running (process {holder}); wait for it"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            for leftover in self._snapshots.glob(f"{_BUILDING}*"):
                shutil.rmtree(leftover)
            yield

    def working_folder(self) -> Path:
        """A fresh folder for a snapshot in the making; call while ``writing``."""
        folder = self._snapshots / f"{_BUILDING}{os.getpid()}"
        folder.mkdir(parents=True)
        return folder

    def publish(
        self, folder: Path, snapshot: Snapshot, made_by: Mapping[str, Any] | None = None
    ) -> None:
        """Seals a working folder as a snapshot and lets it serve; call while ``writing``."""
        write_manifest(folder, snapshot, made_by or {})
        self._versions.keep(snapshot.articles.values())
        flush_tree(folder)
        folder.rename(self._snapshots / snapshot.name)
        flush_folder(self._snapshots)
        self._point_to(snapshot.name)

    def _point_to(self, name: str) -> None:
        write_atomically(self._pointer, f"{name}\n".encode())

    def collect_garbage(self, keep: int = KEPT) -> list[str]:
        """Deletes all but the newest ``keep`` snapshots and the serving one; returns names.

        Article versions stay, so that a citation of any age still leads somewhere.
        """
        serving = self.current_name()
        doomed = [name for name in self.names()[: -keep or None] if name != serving]
        for name in doomed:
            if self.vector_stores:
                self.vector_stores.drop(name, self._snapshots / name / "chunks.jsonl")
            shutil.rmtree(self._snapshots / name)
        return doomed

    def version(self, identity: str, version: str) -> Article | None:
        """An article version that was ever synced, or None. Raises SnapshotDamaged."""
        return self._versions.get(identity, version)
