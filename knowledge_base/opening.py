"""The retriever that the settings ask for: what the server, the terminal and the trainers share."""

from __future__ import annotations

import logging

from knowledge_base.encoder import EncoderFiles, TransformerEncoder
from knowledge_base.reranker import Reranker, RerankerUnusable
from knowledge_base.retriever import Retriever
from knowledge_base.settings import KnowledgeSettings
from knowledge_base.store import open_store

log = logging.getLogger(__name__)


def open_retriever(
    settings: KnowledgeSettings,
    encoder: TransformerEncoder | None = None,
    snapshot: str | None = None,
) -> Retriever:
    """With the packaged reranker where it is wanted and fits the encoder; without it, and said in
    the log and in /readyz, where it does not fit. ``snapshot`` pins one by name."""
    encoder = encoder or TransformerEncoder(EncoderFiles(settings.encoder, settings.compiled_dir))
    store = open_store(settings)
    reranker: Reranker | None = None
    if settings.reranker_stages:
        try:
            reranker = Reranker.load(encoder=encoder.files, stages=settings.reranker_stages)
        except RerankerUnusable as error:
            log.warning("passages are not re-ranked: %s", error)
    return Retriever(store, encoder, snapshot=snapshot, reranker=reranker)
