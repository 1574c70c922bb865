"""BM25 over stemmed words, with bm25s.

Source: Lù 2024, https://arxiv.org/abs/2407.03618; the scores are those of Lucene's BM25.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(r"\d+(?:[.,:/-]\d+)*|\w+(?:['’]\w+)?")
_LANGUAGES = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "sv": "swedish",
}
_STEMMERS = local()  # a stemmer has a cache of its own that threads may not share


class LexicalIndex:
    """An immutable BM25 index of texts in one main language (ISO 639-1)."""

    def __init__(self, bm25: Any, language: str) -> None:
        self._bm25 = bm25
        self._language = language
        self._vocabulary: dict[str, int] = bm25.vocab_dict
        count = int(bm25.scores["num_docs"])
        self._frequency = np.diff(bm25.scores["indptr"])
        self._absent = float(np.log1p((count + 0.5) / 0.5))
        self._count = count

    @classmethod
    def build(cls, texts: Sequence[str], language: str = "en") -> LexicalIndex:
        import bm25s

        tokens = [words(text, language) or ["\x00"] for text in texts]
        bm25 = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        bm25.index(tokens, show_progress=False)
        return cls(bm25, language)

    def scores(self, query: str) -> tuple[NDArray[np.float32], float]:
        """BM25 score of each text, shape (n,), and the query's weight: the sum of the inverse
        document frequencies of its words, those that no text has included."""
        tokens = list(dict.fromkeys(words(query, self._language)))
        known = [token for token in tokens if token in self._vocabulary]
        weight = sum(self.weight(token) for token in tokens)
        if not known:
            return np.zeros(self._count, dtype=np.float32), weight
        return np.asarray(self._bm25.get_scores(known), dtype=np.float32), weight

    def weight(self, token: str) -> float:
        """Inverse document frequency of a stemmed word; the highest for one that no text has."""
        number = self._vocabulary.get(token)
        if number is None:
            return self._absent
        frequency = int(self._frequency[number])
        return float(np.log1p((self._count - frequency + 0.5) / (frequency + 0.5)))

    def save(self, folder: Path) -> None:
        self._bm25.save(str(folder), show_progress=False)

    @classmethod
    def load(cls, folder: Path, language: str) -> LexicalIndex:
        import bm25s

        return cls(bm25s.BM25.load(str(folder)), language)


def words(text: str, language: str = "en") -> list[str]:
    """Stemmed words and numbers, without the language's stop words."""
    stop = _stop_words(language)
    return _stems([token for token in _tokens(text) if token not in stop], language)


def stemmed(text: str, language: str = "en") -> list[str]:
    """Stemmed words and numbers, all of them."""
    return _stems(_tokens(text), language)


def _tokens(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return _TOKEN.findall(folded)


def _stems(tokens: list[str], language: str) -> list[str]:
    stemmer = _stemmer(language)
    return list(stemmer.stemWords(tokens)) if stemmer else tokens


@lru_cache
def _stop_words(language: str) -> frozenset[str]:
    from bm25s import stopwords

    names = (language.upper(), _LANGUAGES.get(language, "").upper())
    lists = (getattr(stopwords, f"STOPWORDS_{name}", None) for name in names)
    return frozenset(next((found for found in lists if found), ()))


def _stemmer(language: str) -> Any:
    import Stemmer

    name = _LANGUAGES.get(language)
    if name is None:
        return None
    if not hasattr(_STEMMERS, name):
        setattr(_STEMMERS, name, Stemmer.Stemmer(name))
    return getattr(_STEMMERS, name)
