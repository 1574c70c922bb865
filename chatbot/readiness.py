"""``/readyz``: each part of a desk, whether it works, and what is wrong with it if it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatbot.answering.engine import engine_status
from knowledge_base import compiled
from knowledge_base.errors import KnowledgeError

if TYPE_CHECKING:
    from chatbot.desk import Desk


def readiness_of(desk: Desk) -> dict[str, dict[str, Any]]:
    reranker = desk.retriever.reranker
    try:
        snapshot = desk.retriever.snapshot().name
        knowledge_problem = desk.retriever.store.problem
    except KnowledgeError as error:
        snapshot, knowledge_problem = "", str(error)
    return {
        "engine": engine_status(desk.engine),
        "knowledge": {
            "ok": bool(snapshot),
            "snapshot": snapshot,
            "problem": knowledge_problem or (reranker.problem if reranker else None),
            "reranker_stages": reranker.stages if reranker else 0,
            "units_read": desk.warming is None or desk.warming.done == snapshot,
        },
        "encoder": compiled.readiness(),
        "routes": {"ok": desk.routes.problem is None, "problem": desk.routes.problem},
        "entities": {
            "ok": desk.company_entities.problem is None,
            "problem": desk.company_entities.problem,
            "timeouts": desk.company_entities.timeouts,
        },
        "policy": {"ok": desk.policy.problem is None, "problem": desk.policy.problem},
        "toxicity": {"ok": True, "model": desk.toxicity_name},
        "checks": desk.gate.readiness(),
        "passages": {"ok": True} if desk.passage_guard is None else desk.passage_guard.readiness(),
    }
