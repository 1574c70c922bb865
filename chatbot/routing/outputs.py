"""Raw outputs of the router's network for some texts, before anything is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chatbot.routing.neighbours import Index
from chatbot.token_entities import TokenEntities
from chatbot.tokens import Tokens
from chatbot.types import Entity
from knowledge_base.batching import Batched, Row

if TYPE_CHECKING:
    from chatbot.routing.network import RouterNetwork

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
    found = TokenEntities(texts, entity_labels)
    answers = network.run([Row(window.ids) for window in windows])
    for window, (sums, *tags) in zip(windows, answers, strict=True):
        totals[window.row] += sums
        for scores in tags:
            found.add(window, scores)
    vectors = unit(totals)
    entities = tuple(found.of(row) for row in range(len(texts)))
    readable = frozenset(w.row for w in windows if tokens.readable(w))
    return Outputs(vectors, head.logits(vectors), entities, readable)


def unit(rows: Floats) -> Floats:
    """Each row divided by its length, shape (n, size)."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    divided: Floats = rows / np.maximum(lengths, 1e-12)
    return divided
