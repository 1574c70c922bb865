"""Names, addresses and telephone numbers that only their surroundings give away.

Patterns find what has a form or a cue ("my name is"); this finds the bare "Annika Sollberg" below
a message. A network over the shared encoder tags each token; its weights are made by
``python -m finetune pii``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from chatbot.errors import SetupError
from chatbot.safety.pii_shapes import shapes_of
from chatbot.tags import tag_count
from chatbot.token_entities import TokenEntities
from chatbot.tokens import Tokens
from chatbot.types import Entity
from knowledge_base.batching import Batched, Row
from knowledge_base.compiled import Recipe
from knowledge_base.encoder import EncoderFiles
from knowledge_base.lora import AdapterUnusable, adapter_of, merge, read_tensors

if TYPE_CHECKING:
    from torch import nn

WEIGHTS: Final = Path(__file__).parent / "weights" / "pii"
TENSORS: Final = "tagger.safetensors"
SETTINGS: Final = "tagger.json"
LABELS: Final = ("person_name", "address", "postcode", "phone", "place", "organisation")
"""The last two are no one's data; the network has to know them to leave them alone."""
SCALE: Final = 2.0  # alpha / rank: alpha is twice the rank
REMEDY: Final = "restore the committed weights or train new ones with: python -m finetune pii"
PHONE_DIGITS: Final = 6  # fewer are an extension or a part of another number

_JOINT: Final = re.compile(r"[\s,;/\-–]{1,4}")  # no full stop: a greeting may follow
_PARTS: Final = frozenset({"address", "postcode", "place"})
_WORD: Final = re.compile(r"\w+")
_OTHER_SCRIPT: Final = re.compile(r"[^\W\d_\u0000-\u052f\u1e00-\u1fff]")
"""A letter that is not Latin, Greek or Cyrillic: the encoder knows no word of such scripts."""
_EDGE: Final = " \t\r\n,;:.-–'\"()"


class Tagger(Protocol):
    """Finds personal data in a plain text."""

    def find(self, text: str) -> list[Entity]: ...


class PersonalTagger:
    """Thread-safe after loading: callers share passes.

    ``thresholds``: by label, the mean probability of its tokens from which a span stands.
    """

    def __init__(
        self,
        network: Batched,
        tokens: Tokens,
        thresholds: Mapping[str, float],
        own_names: Sequence[str] = (),
    ) -> None:
        self._network, self._tokens = network, tokens
        self.thresholds = dict(thresholds)
        self._own = frozenset(w for name in own_names for w in _WORD.findall(name.casefold()))

    @classmethod
    def load(
        cls,
        files: EncoderFiles | None = None,
        folder: Path = WEIGHTS,
        own_names: Sequence[str] = (),
    ) -> PersonalTagger:
        """``own_names`` are the company's and its bot's, which are no customer's. Raises
        SetupError for weights that are missing, damaged or of another encoder."""
        files = files or EncoderFiles()
        settings = _settings(folder)
        if settings["encoder"] != files.digest:
            raise SetupError(
                f"the tagger in {folder} was trained on encoder {settings['encoder']}, but "
                f"CHATBOT_ENCODER is {files.setting} ({files.digest}); {REMEDY}"
            )
        tokens = Tokens(files)
        network = files.load(_recipe(folder, files), tokens.backend)
        return cls(network, tokens, settings["thresholds"], own_names)

    def find(self, text: str) -> list[Entity]:
        """By position, without overlap. A text is read in windows, up to MAX_CHARS characters
        (twice the longest message); what lies beyond is left to the patterns."""
        windows = self._tokens.windows([text])
        answers = self._network.run([Row(w.ids, shapes_of(text, w.offsets)) for w in windows])
        found = TokenEntities([text], LABELS)
        for window, (scores,) in zip(windows, answers, strict=True):
            found.add(window, scores)
        whole = [_whole_words(entity, text) for entity in found.of(0)]
        # A part that does not stand by itself would stand on the other part's score.
        parts = [e for e in whole if e.label in _PARTS - {"address"} or self._stands(e)]
        return [e for e in _joined(parts, text) if self._stands(e)]

    def _stands(self, entity: Entity) -> bool:
        if entity.label not in self.thresholds or entity.score < self.thresholds[entity.label]:
            return False
        words = _WORD.findall(entity.text.casefold())
        if words and self._own.issuperset(words):
            return False
        if entity.label == "address" and self._own.intersection(words):
            return False  # "Larkmoor Circle" is its membership, no street
        if _OTHER_SCRIPT.search(entity.text):
            return False
        digits = sum(c.isdigit() for c in entity.text)
        return entity.label != "phone" or digits >= PHONE_DIGITS


def _whole_words(entity: Entity, text: str) -> Entity:
    """The network tags pieces of words; half a name hidden is a name told."""
    start, end = entity.start, entity.end
    while start < end and text[start] in _EDGE:
        start += 1
    while end > start and text[end - 1] in _EDGE:
        end -= 1
    if start == end:
        return replace(entity, end=start, start=start, text="")
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return replace(entity, start=start, end=end, text=text[start:end])


def _joined(entities: Sequence[Entity], text: str) -> list[Entity]:
    """The parts of one address as one, and the pieces of one word."""
    kept: list[Entity] = []
    for entity in sorted((e for e in entities if e.end > e.start), key=lambda e: e.start):
        last = kept[-1] if kept else None
        if last is not None and (entity.start < last.end or _one_address(last, entity, text)):
            kept[-1] = _both(last, entity, text)
        else:
            kept.append(entity)
    return kept


def _one_address(one: Entity, other: Entity, text: str) -> bool:
    parts = {one.label, other.label}
    touching = _JOINT.fullmatch(text[one.end : other.start]) is not None
    return touching and "address" in parts <= _PARTS


def _both(one: Entity, other: Entity, text: str) -> Entity:
    """Of the whole address, or of the pieces of one word, of which the surer one names it."""
    end = max(one.end, other.end)
    surer = max(one, other, key=lambda e: (e.label == "address", e.score))
    return replace(surer, start=one.start, end=end, text=text[one.start : end])


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS
    try:
        settings: dict[str, Any] = json.loads(path.read_text("utf-8"))
        labels = tuple(settings["labels"])
        thresholds = {str(k): float(v) for k, v in settings["thresholds"].items()}
        encoder = str(settings["encoder"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SetupError(f"the tagger's {path} cannot be read ({error}); {REMEDY}") from None
    if labels != LABELS or not set(thresholds) <= set(LABELS):
        raise SetupError(f"{path} has labels {labels}, expected {LABELS}; {REMEDY}")
    return {"thresholds": thresholds, "encoder": encoder}


def _recipe(folder: Path, files: EncoderFiles) -> Recipe:
    path = folder / TENSORS
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise SetupError(
            f"the tagger's weights {path} cannot be read ({error.strerror or error}); {REMEDY}"
        ) from None

    def build() -> nn.Module:
        import torch

        from chatbot.safety.pii_network import TaggerNetwork

        encoder = files.model()
        try:
            tensors = read_tensors(path)
            merge(encoder, adapter_of(tensors), SCALE)
            network = TaggerNetwork(encoder, tag_count(LABELS))
            with torch.no_grad():
                network.shapes.weight.copy_(tensors["shapes"])
                network.tags.weight.copy_(tensors["tags.weight"])
                network.tags.bias.copy_(tensors["tags.bias"])
        except (AdapterUnusable, KeyError, RuntimeError) as error:
            raise SetupError(f"the tagger's weights {path}: {error}; {REMEDY}") from None
        return network

    inputs = {"encoder": files.digest, "tagger": digest, "scale": str(SCALE)}
    return Recipe("personal", inputs, build)
