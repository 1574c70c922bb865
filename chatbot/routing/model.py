"""The trained router: intent, out-of-scope score and entities in one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import SetupError
from chatbot.routing import artifact, scope
from chatbot.routing.neighbours import Index, Neighbour
from chatbot.routing.tags import decode_tags, tag_count
from chatbot.routing.tokens import Tokens, Window
from chatbot.types import Entity, Prediction
from knowledge_base.batching import Batched, Row
from knowledge_base.compiled import Recipe
from knowledge_base.encoder import EncoderFiles
from knowledge_base.lora import AdapterUnusable, merge, peft_adapter_of, read_tensors

if TYPE_CHECKING:
    from chatbot.routing.network import RouterNetwork

DEFAULT_WEIGHTS = Path(__file__).parent / "weights"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Raw outputs for some texts: what calibration starts from."""

    vectors: Floats
    """Unit vectors, shape (texts, hidden)."""
    logits: Floats
    """Before temperature, shape (texts, outputs)."""
    entities: tuple[tuple[Entity, ...], ...]
    readable: frozenset[int]
    """Rows in which the vocabulary knows a token: not emoji or an unknown script alone."""

    def similarity(self, index: Index) -> Floats:
        """Cosines of shape (texts, examples)."""
        return index.similarity(self.vectors)


@dataclass(frozen=True, slots=True)
class IntentHead:
    """The intent head outside the network: a text of several windows has one vector."""

    directions: Floats
    """Unit rows, shape (outputs, hidden)."""
    bias: Floats
    scale: float

    @classmethod
    def of(cls, weight: Floats, bias: Floats, scale: float) -> IntentHead:
        return cls(unit(weight), bias, scale)

    def logits(self, vectors: Floats) -> Floats:
        """Shape (texts, outputs), for unit vectors of shape (texts, hidden)."""
        logits: Floats = self.scale * (vectors @ self.directions.T + self.bias)
        return logits


def run_network(
    network: RouterNetwork, tokens: Tokens, texts: Sequence[str], entity_labels: Sequence[str]
) -> Outputs:
    """What ``read`` gives, of a network in training."""
    from knowledge_base.torch_forward import TorchForward

    weight, bias = (value.detach().numpy() for value in network.intent.parameters())
    head = IntentHead.of(weight, bias, network.scale)
    return read(Batched(TorchForward(network)), head, tokens, texts, entity_labels)


def read(
    network: Batched,
    head: IntentHead,
    tokens: Tokens,
    texts: Sequence[str],
    entity_labels: Sequence[str],
) -> Outputs:
    """One pass over ``texts``; windows of one length share a batch."""
    windows = tokens.windows(texts)
    totals = np.zeros((len(texts), head.directions.shape[1]), dtype=np.float32)
    found: list[dict[tuple[int, int], Entity]] = [{} for _ in texts]
    answers = network.run([Row(window.ids) for window in windows])
    for window, (sums, *tags) in zip(windows, answers, strict=True):
        totals[window.row] += sums
        for scores in tags:
            _collect(found[window.row], window, scores, texts[window.row], entity_labels)
    vectors = unit(totals)
    entities = tuple(_without_overlap(e.values()) for e in found)
    readable = frozenset(w.row for w in windows if tokens.readable(w))
    return Outputs(vectors, head.logits(vectors), entities, readable)


def unit(rows: Floats) -> Floats:
    """Each row divided by its length, shape (n, size)."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    divided: Floats = rows / np.maximum(lengths, 1e-12)
    return divided


class RouterModel:
    """Thread-safe after loading: the weights are only read.

    >>> model = RouterModel.load(DEFAULT_WEIGHTS)
    >>> model.predict(["where is my parcel?"])[0].intent
    'order_status'
    """

    def __init__(
        self,
        manifest: artifact.Manifest,
        network: Batched,
        head: IntentHead,
        tokens: Tokens,
        index: Index,
    ) -> None:
        self.manifest = manifest
        self._network, self._head = network, head
        self._tokens = tokens
        self._index = index

    @classmethod
    def load(
        cls, directory: Path = DEFAULT_WEIGHTS, encoder: EncoderFiles | None = None
    ) -> RouterModel:
        """Merges the adapter into a fresh copy of the encoder.

        Raises SetupError when the folder holds no router, or one trained on another encoder.
        """
        manifest = artifact.read_manifest(directory)
        files = encoder or EncoderFiles(manifest.encoder)
        if files.digest != manifest.encoder_digest:
            raise SetupError(
                f"the router in {directory} was trained on encoder {manifest.encoder} "
                f"({manifest.encoder_digest}), but CHATBOT_ENCODER is {files.setting} "
                f"({files.digest}); train a router on it with: python -m finetune router"
            )
        heads = artifact.read_arrays(directory, artifact.HEADS)
        head = IntentHead.of(heads["intent.weight"], heads["intent.bias"], manifest.scale)
        vectors = artifact.read_arrays(directory, artifact.INDEX)["vectors"]
        index = Index(vectors, artifact.read_examples(directory), manifest.intents)
        tokens = Tokens(files)
        network = files.load(_recipe(directory, manifest, files), tokens.backend)
        return cls(manifest, network, head, tokens, index)

    @property
    def intents(self) -> tuple[str, ...]:
        return self.manifest.intents

    @property
    def index(self) -> Index:
        return self._index

    @property
    def bands(self) -> artifact.Bands:
        return self.manifest.bands

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """One prediction a text, in their order; [] for none.

        A text without a single token of the vocabulary (emoji alone, an unknown script,
        nothing but spaces) is out of scope with score 1.
        """
        if not texts:
            return []
        outputs = self.outputs(texts)
        return predictions(self.manifest, self._index, outputs, outputs.similarity(self._index))

    def nearest(self, text: str, k: int = 5) -> list[Neighbour]:
        """The training examples most similar to ``text``, nearest first."""
        outputs = self.outputs([text])
        return self._index.nearest(outputs.similarity(self._index)[0], k)

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """What calibration starts from."""
        labels = self.manifest.entity_labels
        return read(self._network, self._head, self._tokens, texts, labels)


def predictions(
    manifest: artifact.Manifest, index: Index, outputs: Outputs, similarity: Floats
) -> list[Prediction]:
    """One a text. ``similarity`` is that of the texts to the index, shape (texts, examples)."""
    probabilities = manifest.confidence.of(outputs.logits, index.vote(similarity))
    parts = scope.scope_parts(outputs.logits, similarity, learned=manifest.learned_scope)
    scores = scope.scope_scores(parts, manifest.scope)
    found = []
    for row, chances in enumerate(probabilities):
        order = np.argsort(-chances, kind="stable")
        intents = tuple((manifest.intents[i], float(chances[i])) for i in order)
        score = float(scores[row]) if row in outputs.readable else 1.0
        found.append(Prediction(intents, score > 0.5, score, outputs.entities[row]))
    return found


def _recipe(directory: Path, manifest: artifact.Manifest, files: EncoderFiles) -> Recipe:
    trained = manifest.lora_rank > 0
    scale = manifest.lora_alpha / manifest.lora_rank if trained else 0.0

    def build() -> RouterNetwork:
        import torch

        from chatbot.routing.network import RouterNetwork

        encoder = files.model()
        if trained:
            try:
                merge(encoder, peft_adapter_of(read_tensors(directory / artifact.ADAPTER)), scale)
            except AdapterUnusable as error:
                raise SetupError(f"{error}; train the router again") from None
        outputs = len(manifest.intents) + int(manifest.learned_scope)
        tags = tag_count(manifest.entity_labels)
        hidden = encoder.config.hidden_size
        network = RouterNetwork(encoder, hidden, outputs, tags, manifest.scale)
        heads = artifact.read_arrays(directory, artifact.HEADS)
        network.load_state_dict({k: torch.from_numpy(v) for k, v in heads.items()}, strict=False)
        return network

    inputs = {
        "encoder": files.digest,
        "adapter": artifact.digest(directory, artifact.ADAPTER) if trained else "none",
        "heads": artifact.digest(directory, artifact.HEADS),
        "scale": repr(scale),
    }
    return Recipe("router", inputs, build)


def _collect(
    found: dict[tuple[int, int], Entity],
    window: Window,
    scores: Floats,
    text: str,
    labels: Sequence[str],
) -> None:
    real = [i for i, (start, end) in enumerate(window.offsets) if end > start]
    offsets = [window.offsets[i] for i in real]
    for start, end, label, score in decode_tags(scores[real], offsets, labels):
        entity = Entity(label, start, end, text[start:end], source="model", score=score)
        known = found.get((start, end))
        if known is None or known.score < score:
            found[(start, end)] = entity


def _without_overlap(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Where two windows disagree the longer span wins: the other one was cut by a border."""
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda e: (e.start - e.end, e.start)):
        if all(entity.end <= k.start or entity.start >= k.end for k in kept):
            kept.append(entity)
    return tuple(sorted(kept, key=lambda e: e.start))
