"""Exceptions of the knowledge base.

KnowledgeError (RuntimeError)
├── NoSnapshot          nothing has been synced yet
├── SnapshotDamaged     a file of a snapshot is missing or differs from its manifest
├── EncoderMismatch     the snapshot was built with another encoder
├── SyncRunning         another process holds the sync lock
└── VectorStoreFailed   the vector store that the settings name does not do its work
BadArticle (ValueError)       one file or row cannot become an article
NothingToRead (ValueError)    a path holds no article at all
UnknownSnapshot (ValueError)  no snapshot has that name
"""

from __future__ import annotations


class KnowledgeError(RuntimeError):
    """The knowledge base cannot do what was asked in its present state."""


class NoSnapshot(KnowledgeError):
    """Nothing has been synced yet."""


class SnapshotDamaged(KnowledgeError):
    """A file of a snapshot is missing, unreadable or differs from its manifest."""


class EncoderMismatch(KnowledgeError):
    """Vectors of two encoders cannot be compared."""


class SyncRunning(KnowledgeError):
    """Another sync of the same data directory has not finished."""


class VectorStoreFailed(KnowledgeError):
    """The vector store that the settings name cannot be loaded, filled or searched."""


class BadArticle(ValueError):
    """One file or row cannot become an article; the message says why."""


class NothingToRead(ValueError):
    """A path holds no readable article."""


class UnknownSnapshot(ValueError):
    """No snapshot has that name."""
