"""Reads help centres from disk and from the web; see ``folder.read_articles``."""

from knowledge_base.readers.base import Failure, Reading
from knowledge_base.readers.folder import read_articles

__all__ = ["Failure", "Reading", "read_articles"]
