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
from chatbot.routing.tags import decode_tags, tag_count
from chatbot.routing.tokens import Tokens, Window
from chatbot.types import Entity, Prediction
from knowledge_base.encoder import EncoderFiles

if TYPE_CHECKING:
    from chatbot.routing.network import RouterNetwork

DEFAULT_WEIGHTS = Path(__file__).parent / "weights"
BATCH_WINDOWS = 32

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training example that explains a prediction."""

    text: str
    intent: str
    similarity: float


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


def run_network(
    network: RouterNetwork, tokens: Tokens, texts: Sequence[str], entity_labels: Sequence[str]
) -> Outputs:
    """One pass over ``texts``, shortest first so that batches carry little padding."""
    import torch

    windows = tokens.windows(texts)
    hidden = network.intent.in_features
    totals = torch.zeros(len(texts), hidden)
    found: list[dict[tuple[int, int], Entity]] = [{} for _ in texts]
    order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
    with torch.inference_mode():
        for first in range(0, len(order), BATCH_WINDOWS):
            batch = [windows[i] for i in order[first : first + BATCH_WINDOWS]]
            ids, mask = (torch.from_numpy(a) for a in tokens.arrays(batch))
            states = network.states(ids, mask)
            totals.index_add_(
                0, torch.tensor([w.row for w in batch]), network.token_sums(states, mask)
            )
            tag_logits = network.tag_logits(states)
            if tag_logits is not None:
                scores = torch.log_softmax(tag_logits, dim=-1).numpy()
                for window, row_scores in zip(batch, scores, strict=True):
                    _collect(
                        found[window.row], window, row_scores, texts[window.row], entity_labels
                    )
        vectors = torch.nn.functional.normalize(totals, dim=1)
        logits = network.intent_logits(vectors)
    entities = tuple(_without_overlap(e.values()) for e in found)
    readable = frozenset(w.row for w in windows if tokens.readable(w))
    return Outputs(vectors.numpy(), logits.numpy(), entities, readable)


class RouterModel:
    """Thread-safe after loading: the weights are only read.

    >>> model = RouterModel.load(DEFAULT_WEIGHTS)
    >>> model.predict(["where is my parcel?"])[0].intent
    'order_status'
    """

    def __init__(
        self,
        manifest: artifact.Manifest,
        network: RouterNetwork,
        tokens: Tokens,
        index: Floats,
        examples: Sequence[tuple[str, str]],
    ) -> None:
        self.manifest = manifest
        self._network = network
        self._tokens = tokens
        self._index = index
        self._examples = tuple(examples)

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
        from chatbot.routing.network import merge_adapter

        network = build_network(manifest, files)
        index = artifact.read_tensors(directory, artifact.INDEX)["vectors"].numpy()
        network.load_state_dict(artifact.read_tensors(directory, artifact.HEADS), strict=False)
        adapter = artifact.read_tensors(directory, artifact.ADAPTER)
        merge_adapter(network.encoder, adapter, manifest.lora_alpha / manifest.lora_rank)
        examples = artifact.read_index_texts(directory)
        return cls(manifest, network.eval(), Tokens(files.tokenizer()), index, examples)

    @property
    def intents(self) -> tuple[str, ...]:
        return self.manifest.intents

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
        outputs = run_network(self._network, self._tokens, texts, self.manifest.entity_labels)
        probabilities = self._probabilities(outputs.logits)
        parts = scope.scope_parts(
            outputs.vectors, outputs.logits, self._index, learned=self.manifest.learned_scope
        )
        scores = scope.scope_scores(parts, self.manifest.scope)
        predictions = []
        for row in range(len(texts)):
            chances = probabilities[row]
            order = np.argsort(-chances, kind="stable")
            intents = tuple((self.manifest.intents[i], float(chances[i])) for i in order)
            score = float(scores[row]) if row in outputs.readable else 1.0
            predictions.append(Prediction(intents, score > 0.5, score, outputs.entities[row]))
        return predictions

    def nearest(self, text: str, k: int = 5) -> list[Neighbour]:
        """The training examples most similar to ``text``, nearest first."""
        outputs = run_network(self._network, self._tokens, [text], self.manifest.entity_labels)
        similarity = self._index @ outputs.vectors[0]
        best = np.argsort(-similarity, kind="stable")[:k]
        examples = [(self._examples[int(i)], float(similarity[i])) for i in best]
        return [Neighbour(text, intent, near) for (text, intent), near in examples]

    def _probabilities(self, logits: Floats) -> Floats:
        inside = logits[:, : len(self.manifest.intents)] / self.manifest.temperature
        inside = inside + self.manifest.shift
        if self.manifest.multi_label:
            chances: Floats = 1.0 / (1.0 + np.exp(-inside))
            return chances
        exponents = np.exp(inside - inside.max(axis=1, keepdims=True))
        normal: Floats = exponents / exponents.sum(axis=1, keepdims=True)
        return normal


def build_network(manifest: artifact.Manifest, files: EncoderFiles) -> RouterNetwork:
    """The encoder with untrained heads of the manifest's sizes."""
    from chatbot.routing.network import RouterNetwork

    encoder = files.model()
    outputs = len(manifest.intents) + int(manifest.learned_scope)
    return RouterNetwork(
        encoder,
        encoder.config.hidden_size,
        outputs,
        tag_count(manifest.entity_labels),
        manifest.scale,
    )


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
