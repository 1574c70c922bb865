"""Readers of HTML, PDF and DOCX documents."""

from __future__ import annotations

from knowledge_base.readers import Reader

DOCUMENT_READERS: dict[str, Reader] = {}
