"""When two passages say the same, so that only the better placed one is shown.

Two texts fold when they have the same words after stemming and without articles, pronouns
and the like. Texts that differ in one word that tells something (a country, an amount, "not")
never fold: that word may be the answer.
"""

from __future__ import annotations

from functools import lru_cache

from knowledge_base.lexical import stemmed

_ARTICLES = {"a", "an", "the", "this", "that", "these", "those"}
_PRONOUNS = {"you", "your", "we", "us", "our", "it", "its"}
_FILLERS = {"please", "also", "just", "then", "so", "very", "is", "are", "be", "will", "of", "to"}
_EMPTY = frozenset(_ARTICLES | _PRONOUNS | _FILLERS)


@lru_cache(maxsize=20_000)
def fold_key(text: str, language: str = "en") -> frozenset[str]:
    """Equal for passages that say the same."""
    found = stemmed(text, language)
    kept = frozenset(word for word in found if word not in _EMPTY) if language == "en" else ()
    return frozenset(kept or found)
