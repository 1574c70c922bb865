"""A passage: the unit that is retrieved, put into the prompt and cited."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of one version of an article, with where a citation of it leads."""

    article: str
    version: str
    """First 12 hex digits of the article's content hash; ``/articles/{article}@{version}``."""
    chunk: str
    """Unique within the snapshot: ``{article}#{ordinal}``."""
    title: str
    heading: str
    """Title path below the article's title, " > " between levels; empty at the top."""
    anchor: str
    text: str
    """Plain Markdown of the chunk, without its heading."""
    score: float
    """Calibrated relevance in 0..1 (higher is better)."""
    audience: str = "public"
    units: tuple[tuple[str, float], ...] = ()
    """The passage's units (``knowledge_base.units``) in order, each with the probability that it
    answers the question; empty without a reranker."""

    leads: tuple[tuple[int, int], ...] = ()
    """Of a message that asks several questions: (question, unit), both numbered from 0, where the
    unit answers that question better than all others do."""

    @property
    def url(self) -> str:
        suffix = f"#{self.anchor}" if self.anchor else ""
        return f"/articles/{self.article}@{self.version}{suffix}"
