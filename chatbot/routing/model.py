"""The trained router: intent, out-of-scope score and entities in one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chatbot.errors import SetupError
from chatbot.routing import artifact, scope
from chatbot.routing.neighbours import Index, Neighbour
from chatbot.routing.outputs import Floats, IntentHead, Outputs, read
from chatbot.tags import tag_count
from chatbot.tokens import Tokens
from chatbot.types import Prediction
from knowledge_base.batching import Batched
from knowledge_base.compiled import Recipe
from knowledge_base.encoder import EncoderFiles
from knowledge_base.lora import AdapterUnusable, merge, peft_adapter_of, read_tensors

if TYPE_CHECKING:
    from chatbot.routing.network import RouterNetwork

DEFAULT_WEIGHTS = Path(__file__).parent / "weights"


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
