"""What is asked: questions of the sample company, and the exact requests that its turns make."""

from __future__ import annotations

import json
from pathlib import Path

from chatbot.answering.engine import GenerationRequest
from chatbot.answering.prompt import ABSTENTION
from chatbot.answering.scripted import ScriptedEngine
from chatbot.desk import Desk
from chatbot.steps import TurnRequest
from chatbot.turn import run_turn

FOLDER = Path(__file__).parents[2] / "knowledge_base" / "sample" / "questions"


def questions(count: int, *files: str) -> list[str]:
    """Answerable first questions of the named files, in their order."""
    rows = [
        json.loads(line)
        for name in files or ("dev.jsonl",)
        for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()
    ]
    return [r["question"] for r in rows if r["expect"] == "answer" and not r["history"]][:count]


async def requests_of(desk: Desk, asked: list[str]) -> list[GenerationRequest]:
    """Runs each turn up to the engine and keeps what it would have been asked there."""
    engine, recorder = desk.composer.engine, ScriptedEngine(ABSTENTION)
    desk.composer.engine = recorder
    try:
        for question in asked:
            async for _ in run_turn(TurnRequest(question, always_compose=True), desk):
                pass
    finally:
        desk.composer.engine = engine
    return recorder.requests
