"""Reads a help centre's units before anybody asks, so that a question need not wait for them.

What is read changes no answer, only when it is there: a unit that is not read yet is read with the
first question that needs it. What is read is kept in a file (``unit_file``): a later start, and a
snapshot that shares units with the one before, read only what is new.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from threading import Event, Thread

from knowledge_base.errors import KnowledgeError
from knowledge_base.late_interaction import REMEMBERED
from knowledge_base.mapped import give_back_memory
from knowledge_base.ranking import judged_units
from knowledge_base.reranker import Reranker, evidence
from knowledge_base.retriever import Retriever
from knowledge_base.snapshot import Snapshot

log = logging.getLogger(__name__)

LOOK_S = 3.0  # between looks whether another snapshot serves; so long a start has both cores
AT_ONCE = 4  # units in one pass, about 30 ms: so long a customer's question waits at most
REST = 1.0  # times what the pass took, in which others have both cores


class Warming:
    """A thread that follows the serving snapshot. Without a reranker there is nothing to do."""

    def __init__(self, retriever: Retriever, look_s: float) -> None:
        self._retriever, self._look_s = retriever, look_s
        self._stopped = Event()
        self._thread = Thread(target=self._follow, name="warming", daemon=True)
        self.done = ""
        """Name of the snapshot whose units have all been read."""

    @classmethod
    def started(cls, retriever: Retriever, look_s: float = LOOK_S) -> Warming:
        warming = cls(retriever, look_s)
        if retriever.reranker is not None:
            warming._thread.start()
        return warming

    def stop(self) -> None:
        """Returns when the pass that runs is over."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _follow(self) -> None:
        while True:
            self._look()
            if self._stopped.wait(self._look_s):
                return

    def _look(self) -> None:
        try:
            snapshot = self._retriever.ready()
        except KnowledgeError:
            return  # nothing serves; /readyz says why
        reranker = self._retriever.reranker
        if reranker is not None and snapshot.name != self.done:
            self._read(snapshot, reranker)

    def _read(self, snapshot: Snapshot, reranker: Reranker) -> None:
        started = time.monotonic()
        texts = units_of(snapshot)
        if len(texts) > REMEMBERED:
            log.info("%d units of %s are read when they are asked for", len(texts), snapshot.name)
            texts = ()
        new = reranker.recall(texts)
        if new and self._stopped.wait(self._look_s):
            return
        for place in range(0, len(new), AT_ONCE):
            before = time.monotonic()
            reranker.read(new[place : place + AT_ONCE])
            if self._stopped.wait(REST * (time.monotonic() - before)):
                return
        reranker.keep(texts)
        if new:
            give_back_memory()  # what was read lies in the mapped file now
        self.done = snapshot.name
        seconds = time.monotonic() - started
        log.info("%d units ready, %d of them new, in %.0f s", len(texts), len(new), seconds)


def units_of(snapshot: Snapshot) -> Sequence[str]:
    """What the reranker may judge of a snapshot, each text once."""
    pairs = (pair for chunk in snapshot.chunks for pair in judged_units(chunk))
    return tuple(dict.fromkeys(evidence(*pair) for pair in pairs))
