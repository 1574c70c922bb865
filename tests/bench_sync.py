"""How long a large help centre takes to sync, and what customers feel meanwhile.

    python -m tests.bench_sync --articles 10000 --data-dir DIR

Makes a corpus, kills the first sync half way, lets a second one go on, changes one article,
searches, and swaps snapshots while four threads search. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knowledge_base.embedding import Partial
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.opening import open_retriever
from knowledge_base.pseudo import pseudo_questions
from knowledge_base.retriever import Retriever
from knowledge_base.settings import KnowledgeSettings
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import SyncReport, sync_path
from tests.knowledge_base.corpus import article, write_corpus

QUESTIONS = 400
RERANKED = 80  # of them
WARM_UP = 20  # of each, not measured
THREADS = 4


class Stages:
    """Seconds from the first to the last report of each stage, and of what lies between."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._last, self._stage = time.monotonic(), "read"

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        self.seconds[self._stage if done == 0 else stage] += now - self._last
        self._last, self._stage = now, stage

    def rounded(self) -> dict[str, float]:
        return {stage: round(value, 1) for stage, value in self.seconds.items()}


def killed_sync(
    encoder: TransformerEncoder, folder: Path, data_dir: Path, until: int
) -> dict[str, Any]:
    """A sync in a process of its own, killed with SIGKILL once ``until`` vectors are kept."""
    partial = Partial(data_dir / "knowledge", encoder)
    started = time.monotonic()
    command = [sys.executable, "-m", "knowledge_base", "sync", str(folder)]
    process = subprocess.Popen([*command, "--data-dir", str(data_dir)])
    while process.poll() is None and len(partial.read()) < until:
        time.sleep(2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return {"seconds": round(time.monotonic() - started, 1), "kept": len(partial.read())}


def timed(store: SnapshotStore, encoder: TransformerEncoder, folder: Path) -> dict[str, Any]:
    stages = Stages()
    report: SyncReport = sync_path(store, encoder, folder, progress=stages)
    return {
        "seconds": round(report.seconds, 1),
        "stages": stages.rounded(),
        "added": len(report.added),
        "changed": len(report.changed),
        "embedded": report.embedded,
    }


def search_times(retriever: Retriever, questions: Sequence[str]) -> dict[str, float]:
    """Milliseconds of whole searches, embedding of the question included."""
    for question in questions[:WARM_UP]:
        retriever.search(question)
    times = []
    for question in questions[WARM_UP:]:
        started = time.perf_counter()
        retriever.search(question)
        times.append(1000 * (time.perf_counter() - started))
    return {f"p{q}_ms": round(float(np.percentile(times, q)), 1) for q in (50, 95, 99)}


def all_search_times(
    settings: KnowledgeSettings, store: SnapshotStore, encoder: TransformerEncoder
) -> dict[str, Any]:
    """Dense and lexical search alone; with the reranker where it has to read the units first, and
    where it has read them (the same questions in other words)."""
    chunks = store.current().chunks
    asked = [one.text for one in pseudo_questions(chunks, encoder, count=QUESTIONS, seed=1)]
    judged = asked[:RERANKED]
    reranking = open_retriever(settings, encoder)
    return {
        "search": search_times(Retriever(store, encoder), asked),
        "reranked_first_time": search_times(reranking, judged),
        "reranked_again": search_times(reranking, [f"please tell me {text}" for text in judged]),
    }


def swap_under_load(
    retriever: Retriever, encoder: TransformerEncoder, folder: Path, swaps: int = 2
) -> dict[str, Any]:
    """Searches in threads while a second store publishes; counts what failed."""
    asked = [question.text for question in pseudo_questions(
        retriever.snapshot().chunks, encoder, count=50, seed=2
    )]  # fmt: skip
    failures: list[str] = []
    times: list[float] = []
    seen: set[str] = set()
    done = threading.Event()

    def search(seed: int) -> None:
        chooser = random.Random(seed)
        while not done.is_set():
            started = time.perf_counter()
            try:
                retriever.search(chooser.choice(asked), floor=False)
                seen.add(retriever.snapshot().name)
            except Exception as error:  # noqa: BLE001 - whatever a customer would have met
                failures.append(repr(error))
            times.append(time.perf_counter() - started)
            time.sleep(0.1)

    threads = [threading.Thread(target=search, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for swap in range(swaps):
        change(folder, swap + 1)
        sync_path(SnapshotStore(retriever.store.root), encoder, folder)
        time.sleep(5)
    done.set()
    for thread in threads:
        thread.join()
    return {
        "searches": len(times),
        "failed": len(failures),
        "errors": sorted(set(failures))[:5],
        "snapshots_seen": len(seen),
        "slowest_s": round(max(times), 2),
    }


def change(folder: Path, number: int) -> None:
    path = folder / "000" / f"article-{number:05d}.md"
    path.write_text(article(number, seed=99), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--data-dir", type=Path, required=True, help="empty, or of an earlier run")
    options = parser.parse_args()
    folder = options.data_dir / "corpus"
    if not folder.exists():
        write_corpus(folder, options.articles)
    settings = KnowledgeSettings(data_dir=options.data_dir)
    encoder = TransformerEncoder(EncoderFiles(settings.encoder, settings.compiled_dir))
    store = SnapshotStore(options.data_dir / "knowledge")
    result: dict[str, Any] = {"articles": options.articles}
    if not store.names():
        result["killed"] = killed_sync(encoder, folder, options.data_dir, options.articles * 2)
        print(json.dumps(result), file=sys.stderr)
    result["sync"] = timed(store, encoder, folder)
    print(json.dumps(result), file=sys.stderr)
    change(folder, 0)
    result["one_article_changed"] = timed(store, encoder, folder)
    started = time.monotonic()
    snapshot = SnapshotStore(store.root).current()
    result["load_s"] = round(time.monotonic() - started, 2)
    manifest = store.manifest(snapshot.name)
    result |= {name: manifest[name] for name in ("chunks", "index", "index_recall")}
    retriever = Retriever(SnapshotStore(store.root), encoder)
    result |= all_search_times(settings, SnapshotStore(store.root), encoder)
    result["swap_under_load"] = swap_under_load(retriever, encoder, folder)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
