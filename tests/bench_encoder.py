"""``python -m tests.bench_encoder``: what each use of the encoder costs, beside PyTorch.

Loads the parts of a desk that read text, without the answer model, twice in one process: compiled
and with PyTorch. Each stage runs for one caller and for eight at once, over dev questions and
sentences of the sample's help articles; no text repeats, so that no cache helps. Prints JSON:
milliseconds a call (p50, p95) as its caller waits for it, calls per second, start, memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from chatbot.answering.prompt import instructions
from chatbot.answering.sentences import split_sentences
from chatbot.company import load_company
from chatbot.routing.language import detect_language
from chatbot.routing.model import RouterModel
from chatbot.safety.checks import LeakCheck, RulesCheck, ToxicityCheck
from chatbot.safety.gate import Candidate, Check, Gate
from chatbot.safety.grounding import GroundingCheck, load_grounding
from chatbot.safety.moderation import Moderator, load_moderator
from chatbot.safety.pii_tagger import PersonalTagger
from chatbot.safety.policy import Policy
from chatbot.safety.screen import Screen
from chatbot.safety.screen_encoder import ScreenEncoder
from chatbot.settings import Settings, load_settings
from chatbot.types import Passage, SentenceKind
from chatbot.workers import Workers
from knowledge_base.compiled import encoder_status
from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.errors import NoSnapshot
from knowledge_base.opening import open_retriever
from knowledge_base.quiet import quiet_libraries
from knowledge_base.reranker import Reranker, place_of
from knowledge_base.retriever import Retriever
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_path
from knowledge_base.warming import units_of

SAMPLE = Path(__file__).parents[1] / "knowledge_base" / "sample"
CALLERS = 8
CANDIDATES = 12


@dataclass
class Parts:
    """What a desk holds of models that read text."""

    encoder: TransformerEncoder
    router: RouterModel
    moderator: Moderator
    screen: Screen
    retriever: Retriever
    reranker: Reranker
    checks: dict[str, Check]
    workers: Workers
    gate: Gate

    def understand(self, text: str) -> None:
        self.screen.screen(text, self.router.predict([text])[0], {})


def load_parts(settings: Settings) -> Parts:
    company = load_company(settings.company)
    policy = Policy.load(settings.company / "policy.toml")
    encoder = TransformerEncoder(EncoderFiles(settings.encoder, settings.compiled_dir))
    try:
        SnapshotStore(settings.knowledge_dir).current()
    except NoSnapshot:
        store = SnapshotStore(settings.knowledge_dir)
        sync_path(store, encoder, settings.company / "articles", source="sample")
    moderator = load_moderator(settings)
    retriever = open_retriever(settings, encoder)
    assert retriever.reranker is not None
    retriever.reranker.read(units_of(retriever.snapshot()))  # as a server does beside its work
    grounding = load_grounding(encoder, encoder.files, (company.name, company.bot_name))
    workers = Workers()
    checks: dict[str, Check] = {
        "toxicity": ToxicityCheck(moderator, policy),
        "grounding": GroundingCheck(grounding),
        "leaks": LeakCheck(instructions(company.name), policy, tuple(company.texts.values())),
        "rules": RulesCheck(policy, company.allowed_domains),
    }
    return Parts(
        encoder,
        RouterModel.load(encoder=encoder.files),
        moderator,
        Screen(
            ScreenEncoder(encoder),
            moderator.scorer,
            moderator,
            policy,
            detect_language,
            tagger=PersonalTagger.load(encoder.files),
        ),
        retriever,
        retriever.reranker,
        checks,
        workers,
        Gate(list(checks.values()), workers, settings.check_deadline_s),
    )


class Texts:
    """Messages and candidates that never repeat."""

    def __init__(self, retriever: Retriever) -> None:
        rows = (SAMPLE / "questions" / "dev.jsonl").read_text("utf-8").splitlines()
        questions = [json.loads(row)["question"] for row in rows]
        self._number = count(1)
        self._questions = cycle(questions)
        self._found = cycle([retriever.search(q, 4, floor=False) for q in questions[:8]])
        chunks = retriever.snapshot().chunks
        self.pairs = [(place_of(c.title, c.heading), c.text) for c in chunks]

    def question(self) -> str:
        return f"{next(self._questions)} ({next(self._number)})"

    def candidate(self) -> Candidate:
        """A claim that a passage supports in other words, after another one."""
        passages: list[Passage] = next(self._found)
        first, *_ = split_sentences(passages[0].text)
        text = f"As far as we know, {first[:1].lower()}{first[1:]} ({next(self._number)})"
        before = "Thank you for waiting. "
        return Candidate(text, before, SentenceKind.CLAIM, (1,), tuple(passages))


def stages(parts: Parts, texts: Texts) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "embed a question", lambda: parts.encoder.embed([texts.question()])
    yield "router", lambda: parts.router.predict([texts.question()])
    yield "toxicity", lambda: parts.moderator.scorer.score([texts.question()])
    yield "router and screen", lambda: parts.understand(texts.question())
    yield "rerank 12", lambda: parts.reranker.score(texts.question(), texts.pairs[:CANDIDATES])
    yield "search", lambda: parts.retriever.search(texts.question())
    for name, check in parts.checks.items():
        yield f"gate: {name} alone", lambda check=check: check.run(texts.candidate())


def timed(call: Callable[[], Any], calls: int, callers: int) -> dict[str, float]:
    taken: list[float] = []

    def one(_: int) -> None:
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)

    for place in range(3):
        one(place)
    taken.clear()
    started = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(one, range(calls)))
    return summary(taken, time.perf_counter() - started)


def timed_gate(parts: Parts, texts: Texts, calls: int, callers: int) -> dict[str, float]:
    taken: list[float] = []

    async def caller(share: int) -> None:
        for _ in range(share):
            candidate = texts.candidate()
            started = time.perf_counter()
            await parts.gate.decide(candidate)
            taken.append(time.perf_counter() - started)

    async def together() -> float:
        await caller(2)
        taken.clear()
        started = time.perf_counter()
        await asyncio.gather(*(caller(calls // callers) for _ in range(callers)))
        return time.perf_counter() - started

    return summary(taken, asyncio.run(together()))


def summary(taken: list[float], seconds: float) -> dict[str, float]:
    return {
        "p50_ms": round(float(np.percentile(taken, 50)) * 1000, 2),
        "p95_ms": round(float(np.percentile(taken, 95)) * 1000, 2),
        "per_s": round(len(taken) / seconds, 1),
    }


def memory_mb() -> float:
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def measured(settings: Settings, calls: int) -> dict[str, Any]:
    started, memory = time.perf_counter(), memory_mb()
    parts = load_parts(settings)
    report: dict[str, Any] = {"load_s": round(time.perf_counter() - started, 2)}
    texts = Texts(parts.retriever)
    for name, call in stages(parts, texts):
        report[name] = {f"{n} at once": timed(call, calls, n) for n in (1, CALLERS)}
    report["gate"] = {f"{n} at once": timed_gate(parts, texts, calls, n) for n in (1, CALLERS)}
    report["engines"] = {name: status.engine for name, status in encoder_status().items()}
    report["memory_mb"] = round(memory_mb() - memory)
    parts.workers.close()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=80, help="per stage; a multiple of 8")
    parser.add_argument("--data-dir", type=Path, help="kept between runs; default: a new one")
    parser.add_argument("--without-torch", action="store_true", help="compiled only")
    arguments = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = arguments.data_dir or Path(folder)
        settings = load_settings({}, data_dir=data_dir)
        report = {"compiled": measured(settings, arguments.calls)}
        if not arguments.without_torch:
            plain = load_settings({}, data_dir=data_dir, encoder_engine="torch")
            report["torch"] = measured(plain, arguments.calls)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
