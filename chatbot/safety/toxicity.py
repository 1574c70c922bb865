"""Toxicity scores of texts, through the real ``Detoxify`` class.

Detoxify cuts at 512 tokens in silence, fails on an empty list and returns scalars for one text;
``WindowedScorer`` windows long text, reads every normalised view, and answers in one shape.
``DetoxifyScorer`` runs Detoxify as it is; ``toxicity_compiled`` runs its network faster.
"""

from __future__ import annotations

import logging
import math
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from chatbot.errors import SetupError, Unavailable
from chatbot.safety.views import clean, model_text, scoring_views

log = logging.getLogger(__name__)

CATEGORIES = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")
MAX_CHARS = 20_000
"""Longer text is not scored but reported: at 140 windows a text the gate's deadline would pass.
A customer's message has 4,000 characters at most (``max_message_chars``), an answer far fewer."""
WINDOW_TOKENS = 48
"""Far fewer than the 512 that the encoder can read: in a longer window one insult drowns in the
average of the tokens. Overlapping keeps a short sentence whole in some window."""
WINDOW_OVERLAP = 16
BATCH = 32
REMEMBERED = 4096  # scored pieces, about 2 MB: the drafts and messages of the last minutes


class ScoreUnreadable(Unavailable):
    """A score is missing, not a number or outside 0..1; the gate holds on it."""


class TextTooLong(ScoreUnreadable):
    """The text is longer than ``MAX_CHARS``; nothing of it was scored."""


class ToxicityScorer(Protocol):
    """Scores texts by category."""

    @property
    def name(self) -> str: ...

    def score(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """For each text, category -> 0..1, the worst over its views and windows."""
        ...


class WindowedScorer(ABC):
    """Reads every view of a text in overlapping windows; the network is the subclass's."""

    def __init__(self, name: str, views: bool) -> None:
        self.name = name
        self._views = views
        self._known: OrderedDict[bytes, dict[str, float]] = OrderedDict()
        self._knowing = threading.Lock()

    def score(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Raises TextTooLong before scoring anything, ScoreUnreadable for a broken score."""
        for text in texts:
            if len(text) > MAX_CHARS:
                raise TextTooLong(
                    f"a text of {len(text)} characters is not scored; the limit is {MAX_CHARS}"
                )
        pieces: list[str] = []
        owners: list[int] = []
        for owner, text in enumerate(texts):
            for piece in self._pieces(text):
                pieces.append(piece)
                owners.append(owner)
        scored = self._remembered(pieces)
        worst: list[dict[str, float]] = [dict.fromkeys(CATEGORIES, 0.0) for _ in texts]
        for owner, scores in zip(owners, scored, strict=True):
            for category, value in scores.items():
                worst[owner][category] = max(worst[owner].get(category, 0.0), value)
        return worst

    def _remembered(self, pieces: Sequence[str]) -> list[dict[str, float]]:
        """Scores of pieces, each computed once: an answer's sentences come again and again, alone,
        in context and in the whole. Kept by hash, so that no text stays in memory."""
        keys = [sha256(piece.encode("utf-8", "surrogatepass")).digest() for piece in pieces]
        by_key = dict(zip(keys, pieces, strict=True))
        with self._knowing:
            scores = {key: self._known[key] for key in by_key if key in self._known}
        new = [key for key in by_key if key not in scores]
        if new:
            fresh = self._predict([by_key[key] for key in new])
            scores |= dict(zip(new, fresh, strict=True))
        with self._knowing:
            for key in by_key:
                self._known[key] = scores[key]
                self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return [scores[key] for key in keys]

    @abstractmethod
    def _offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Where each token stands in the text, without special tokens."""

    @abstractmethod
    def _predict(self, pieces: Sequence[str]) -> list[dict[str, float]]:
        """Category -> 0..1 for each piece. Raises ScoreUnreadable for anything else."""

    def _pieces(self, text: str) -> list[str]:
        """Distinct windows of all views; none for a text without a visible character."""
        views = scoring_views(text) if self._views else (text,)
        pieces: dict[str, None] = {}
        for view in views:
            read = model_text(view)
            if clean(read).strip():  # invisible characters alone say nothing
                for window in self._windows(read):
                    pieces[window] = None
        return list(pieces)

    def _windows(self, text: str) -> list[str]:
        """The text, or overlapping parts of it of at most WINDOW_TOKENS tokens each."""
        if len(text) < WINDOW_TOKENS:  # a token has at least one character
            return [text]
        offsets = self._offsets(text)
        if len(offsets) <= WINDOW_TOKENS:
            return [text]
        windows = []
        for start in range(0, len(offsets) - WINDOW_OVERLAP, WINDOW_TOKENS - WINDOW_OVERLAP):
            last = min(start + WINDOW_TOKENS, len(offsets)) - 1
            windows.append(text[offsets[start][0] : offsets[last][1]])
        return windows


class DetoxifyScorer(WindowedScorer):
    """A Detoxify model behind a lock; safe to call from several threads.

    ``checkpoint`` is a file that ``prepare_toxicity`` has checked, ``model`` one of Detoxify's
    own names, which it downloads. ``views=False`` scores the text as sent, alone.
    """

    def __init__(
        self,
        checkpoint: Path | None = None,
        *,
        model: str = "original",
        views: bool = True,
        batch: int = BATCH,
    ) -> None:
        super().__init__(scorer_name(checkpoint, model), views)
        self._detoxify: Any = load_detoxify(checkpoint, model)
        self._batch = batch
        self._lock = threading.Lock()

    def score(self, texts: Sequence[str]) -> list[dict[str, float]]:
        with self._lock:  # transformers' tokenizers are not safe to share between threads either
            return super().score(texts)

    def _offsets(self, text: str) -> Sequence[tuple[int, int]]:
        encoding = self._detoxify.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        offsets: Sequence[tuple[int, int]] = encoding["offset_mapping"]
        return offsets

    def _predict(self, pieces: Sequence[str]) -> list[dict[str, float]]:
        order = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))  # less padding
        scored: list[dict[str, float]] = [{} for _ in pieces]
        for start in range(0, len(order), self._batch):
            rows = order[start : start + self._batch]
            columns = self._detoxify.predict([pieces[i] for i in rows])
            for category, values in columns.items():
                values = values if isinstance(values, list) else [values]  # noqa: PLW2901
                if len(values) != len(rows):
                    raise ScoreUnreadable(
                        f"{self.name} gave {len(values)} scores of {category} for {len(rows)} texts"
                    )
                for row, value in zip(rows, values, strict=True):
                    scored[row][category] = readable(value, category, self.name)
        return scored


def load_detoxify(checkpoint: Path | None = None, model: str = "original") -> Any:
    """Detoxify's own class in eval mode. Raises SetupError naming file or name and remedy."""
    from detoxify import Detoxify
    from transformers.utils import logging as transformers_logging

    # A progress bar for a load of 0.3 s hides real messages.
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        detoxify: Any = Detoxify(checkpoint=str(checkpoint)) if checkpoint else Detoxify(model)
    except Exception as error:  # torch, transformers and urllib raise a dozen types here
        raise SetupError(
            f"Detoxify cannot load {checkpoint or model!r} ({type(error).__name__}: {error}); "
            "set CHATBOT_TOXICITY_MODEL=default for the model that needs no network"
        ) from error
    detoxify.model.eval()
    classes = set(detoxify.class_names)
    if "toxicity" not in classes:
        raise SetupError(
            f"{checkpoint or model} knows the classes {sorted(classes)}, but 'toxic' or "
            "'toxicity' is needed; set CHATBOT_TOXICITY_MODEL=default"
        )
    return detoxify


def scorer_name(checkpoint: Path | None, model: str = "original") -> str:
    return f"detoxify:{checkpoint.parent.name if checkpoint else model}"


def readable(value: object, category: str, name: str) -> float:
    """``value`` where it is a score. Raises ScoreUnreadable where it is none."""
    if not isinstance(value, float) or not math.isfinite(value) or not 0.0 <= value <= 1.0:
        raise ScoreUnreadable(f"{name} gave {value!r} as score of {category}; 0..1 is needed")
    return value
