"""Small linear heads on the screen encoder's sentence vectors: injection, crisis, tone.

One embedding of a text serves all three. Beside the vector a head reads hashed n-grams of
characters and words, which carry what the encoder does not: chat tags, odd symbols, wordings.
"""

from __future__ import annotations

import json
import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chatbot.errors import SetupError
from chatbot.types import Tone
from knowledge_base.encoder import TextEncoder

WEIGHTS: Final = Path(__file__).parent / "weights" / "screen"
FORMAT: Final = "deskgate-screen-1"
HASHED: Final = 4096  # buckets for characters, as many for words: 16 kB of fp16 a class
NGRAMS: Final = (2, 3, 4, 5)
WINDOW_CHARS: Final = 700  # about 150 tokens; the encoder reads 256
OVERLAP_CHARS: Final = 150
MAX_WINDOWS: Final = 40
REMEDY: Final = "train it with: python -m finetune screen, or reinstall the package"

_WORD: Final = re.compile(r"[^\W\d_]+(?:'\w+)?|\d+|[^\w\s]")

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeadScores:
    """Worst injection and crisis score over a text's windows and views, 0..1; tone of the
    text as sent, one probability a tone."""

    injection: float
    crisis: float
    tone: Mapping[Tone, float]


@dataclass(frozen=True)
class Heads:
    """Weights of shape (classes, dimension + 2 * HASHED) and biases by head name."""

    weights: Mapping[str, Vectors]
    biases: Mapping[str, Vectors]
    thresholds: Mapping[str, float]
    encoder: str
    """Name of the encoder that the heads were trained on."""
    hashed_weight: float

    @cached_property
    def tones(self) -> tuple[Tone, ...]:
        return tuple(Tone)

    def logits(self, head: str, features: Vectors) -> Vectors:
        """Shape (n, classes); one column for a binary head."""
        return features @ self.weights[head].T + self.biases[head]

    def score(self, texts: Sequence[str], encoder: TextEncoder) -> HeadScores:
        """Of one text: ``texts[0]`` as sent, the others its scoring views. At least one."""
        first = windows(texts[0])
        rest = [piece for text in texts[1:] for piece in windows(text)]
        pieces = list(dict.fromkeys([*first, *rest]))[:MAX_WINDOWS]
        features = featurize(pieces, encoder, self.hashed_weight)
        tones = softmax(self.logits("tone", features[: max(1, min(len(set(first)), len(pieces)))]))
        mean = tones.mean(axis=0)
        return HeadScores(
            injection=float(sigmoid(self.logits("injection", features)).max()),
            crisis=float(sigmoid(self.logits("crisis", features)).max()),
            tone=dict(zip(self.tones, (float(p) for p in mean), strict=True)),
        )

    @classmethod
    def load(cls, folder: Path = WEIGHTS, *, encoder: TextEncoder | None = None) -> Heads:
        """Raises SetupError for missing or foreign files, and for another encoder."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            described: dict[str, Any] = json.loads((folder / "heads.json").read_text("utf-8"))
            arrays = load_file(folder / "heads.safetensors")
        except (OSError, ValueError, SafetensorError) as error:
            raise SetupError(
                f"the screen's heads in {folder} cannot be read ({error}); {REMEDY}"
            ) from None
        if described.get("format") != FORMAT:
            raise SetupError(f"{folder} holds no heads of format {FORMAT}; {REMEDY}")
        if encoder is not None and encoder.name != described["encoder"]:
            raise SetupError(
                f"the screen's heads were trained on the encoder {described['encoder']}, not on "
                f"{encoder.name}; {REMEDY}"
            )
        names = ("injection", "crisis", "tone")
        return cls(
            {name: arrays[f"{name}.weight"].astype(np.float32) for name in names},
            {name: arrays[f"{name}.bias"].astype(np.float32) for name in names},
            {name: float(value) for name, value in described["thresholds"].items()},
            str(described["encoder"]),
            float(described["hashed_weight"]),
        )

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        arrays = {}
        for name in self.weights:
            arrays[f"{name}.weight"] = self.weights[name].astype(np.float16)
            arrays[f"{name}.bias"] = self.biases[name].astype(np.float16)
        save_file(arrays, folder / "heads.safetensors", metadata={"format": FORMAT})
        (folder / "heads.safetensors").chmod(0o644)  # safetensors writes 0600: no package data
        described = {
            "format": FORMAT,
            "encoder": self.encoder,
            "hashed_weight": self.hashed_weight,
            "thresholds": {name: round(value, 4) for name, value in self.thresholds.items()},
        }
        (folder / "heads.json").write_text(json.dumps(described, indent=2) + "\n", "utf-8")


def featurize(texts: Sequence[str], encoder: TextEncoder, hashed_weight: float) -> Vectors:
    """Shape (len(texts), dimension + 2 * HASHED), float32.

    A unit vector of the encoder, then unit vectors of character and of word n-grams, scaled.
    """
    dense = encoder.embed([text.encode("utf-8", "replace").decode() for text in texts])
    return np.concatenate([dense, hashed_features(texts, hashed_weight)], axis=1)


def hashed_features(texts: Sequence[str], hashed_weight: float) -> Vectors:
    """Shape (len(texts), 2 * HASHED): unit vectors of character and of word n-grams, scaled."""
    hashed = np.stack([np.concatenate([_ngrams(text), _words(text)]) for text in texts])
    return np.asarray(hashed * np.float32(hashed_weight), dtype=np.float32)


def windows(text: str) -> list[str]:
    """Overlapping pieces of at most WINDOW_CHARS, so that nothing hides behind the cut."""
    if len(text) <= WINDOW_CHARS:
        return [text]
    step = WINDOW_CHARS - OVERLAP_CHARS
    return [
        text[start : start + WINDOW_CHARS] for start in range(0, len(text) - OVERLAP_CHARS, step)
    ]


def sigmoid(logits: Vectors) -> Vectors:
    clipped = np.clip(logits, -30, 30)
    return np.asarray(1 / (1 + np.exp(-clipped)), dtype=np.float32)


def softmax(logits: Vectors) -> Vectors:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


def _ngrams(text: str) -> Vectors:
    """Character n-grams; digits read as 0."""
    text = " ".join(_plain(text).split())
    text = f" {''.join('0' if c.isdigit() else c for c in text)} "[: WINDOW_CHARS + 2]
    raw = text.encode("utf-8", "replace")
    buckets = [
        zlib.crc32(raw[start : start + size]) % HASHED
        for size in NGRAMS
        for start in range(len(raw) - size + 1)
    ]
    return _hashed(buckets)


def _words(text: str) -> Vectors:
    """Words, pairs, and pairs with one word between; numbers read as 0."""
    words = ["0" if w.isdigit() else w for w in _WORD.findall(_plain(text)[:WINDOW_CHARS])]
    words = ["<", *words, ">"]
    grams = [
        *words,
        *(f"{a} {b}" for a, b in pairwise(words)),
        *(f"{a}_ {b}" for a, b in zip(words, words[2:], strict=False)),
    ]
    return _hashed([zlib.crc32(gram.encode("utf-8", "replace")) % HASHED for gram in grams])


def _plain(text: str) -> str:
    """Lower case without accents and other marks, as the uncased encoder reads it."""
    if not text.isascii():
        text = "".join(
            c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)
        )
    return text.lower()


def _hashed(buckets: list[int]) -> Vectors:
    """Log-scaled counts of unit length; zeros for no bucket."""
    counts = np.log1p(np.bincount(buckets, minlength=HASHED).astype(np.float32))
    norm = float(np.linalg.norm(counts))
    return np.asarray(counts / norm if norm else counts, dtype=np.float32)
