"""Late interaction: a question and a text are read apart, and compared word by word.

Each token of the question looks for the token of the text that is most like it; the weighted mean
of these likenesses, and the likeness of both as a whole, give one logit. Since a text is read
without the question, its token vectors are kept: the units of a help centre are read once, and a
question costs one pass. Source: Khattab and Zaharia 2020 (ColBERT),
https://arxiv.org/abs/2004.12832, section 3; the weights of the question's tokens are learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from knowledge_base.batching import Batched, Row
from knowledge_base.compiled import Recipe, encoder_status
from knowledge_base.encoder import EncoderFiles
from knowledge_base.files import sha256
from knowledge_base.lora import AdapterUnusable, adapter_of, merge, read_tensors
from knowledge_base.recent import Recent
from knowledge_base.unit_file import UnitFile, digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import nn

HEAD = "head"
"""Name of the tensor that holds the learnt numbers: a vector for the tokens' weights, then the
factor of the words' likeness, the factor of the whole's likeness, and the bias."""
UNITS = "units"  # folder beside the compiled networks
REMEMBERED = 6000  # texts of about 25 KB: 150 MB when full
STEPS = 127
"""A number between -1 and 1 is kept in a byte, as so many steps to either side. That moves logits
by 0.04; fewer numbers, on principal directions, move them by 0.5 already with 256 of 768."""


@dataclass(frozen=True, slots=True)
class Read:
    """A text as the network has read it."""

    tokens: NDArray[np.int8]
    """Shape (tokens, hidden), each of length ``STEPS``."""
    weights: NDArray[np.float32]
    """Shape (tokens,): what each token's likeness counts if the text is the question."""
    whole: NDArray[np.int8]
    """Shape (hidden,), of length ``STEPS``."""

    @classmethod
    def of(
        cls, tokens: NDArray[np.float32], weights: NDArray[np.float32], whole: NDArray[np.float32]
    ) -> Read:
        """From unit vectors."""
        return cls(_in_steps(tokens), weights, _in_steps(whole))


class LateInteraction:
    """Safe for several threads, whose texts share passes."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        network: Batched,
        factors: tuple[float, float, float],
        kept: UnitFile | None = None,
    ) -> None:
        self._tokenizer, self._network, self._kept = tokenizer, network, kept
        self._words, self._whole, self._bias = factors
        self._recent = Recent(REMEMBERED, self._read)

    @classmethod
    def load(
        cls, name: str, tensors: Path, scale: float, max_tokens: int, files: EncoderFiles
    ) -> LateInteraction:
        """``tensors`` holds the adapter and ``head``; ``scale`` is LoRA's. Texts are cut at
        ``max_tokens``. ``name`` is shown in /readyz.

        Raises AdapterUnusable for missing or damaged tensors.
        """

        def build() -> nn.Module:
            from knowledge_base.torch_forward import TokenStates

            found = read_tensors(tensors)
            model = files.model()
            merge(model, adapter_of(found), scale)
            return TokenStates(model, found[HEAD][: model.config.hidden_size].float())

        if not tensors.is_file():
            raise AdapterUnusable(f"{tensors} cannot be read: there is no such file")
        head = numbers_of(tensors)
        inputs = {"encoder": files.digest, "adapter": sha256(tensors), "scale": repr(scale)}
        tokenizer = files.fast_tokenizer(max_tokens)
        recipe = Recipe(name, inputs, build)
        network = files.load(recipe, tokenizer)
        kept = None
        if files.cache is not None:
            status = encoder_status()[name]
            key = f"{recipe.key(status.version)} {status.engine} {max_tokens} {STEPS}"
            kept = UnitFile(files.cache / UNITS, key)
        return cls(tokenizer, network, (float(head[-3]), float(head[-2]), float(head[-1])), kept)

    def logits_for(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """Shape (len(texts),): what the network says of the question with each text."""
        if not texts:
            return np.empty(0, dtype=np.float64)
        asked, *others = self.read([question, *texts])
        starts = np.cumsum([0, *(len(other.tokens) for other in others[:-1])])
        tokens = np.concatenate([other.tokens for other in others]).astype(np.float32)
        likeness = tokens @ (asked.tokens.T.astype(np.float32) / STEPS**2)
        words = np.maximum.reduceat(likeness, starts) @ asked.weights
        whole = np.stack([other.whole for other in others]) @ (asked.whole / STEPS**2)
        logits: NDArray[np.float64] = self._words * words + self._whole * whole + self._bias
        return logits

    def read(self, texts: Sequence[str]) -> list[Read]:
        """In the order of ``texts``; those not remembered are read together."""
        return self._recent.of(texts)

    def recall(self, texts: Sequence[str]) -> list[str]:
        """Takes in what an earlier process has read and kept; the texts that are still to be
        read. At most ``REMEMBERED`` texts."""
        known = self._recent.known(texts)
        if self._kept is not None and len(known) < len(texts):
            known |= self._taken_in(self._kept, texts)
        return [text for text in texts if text not in known]

    def keep(self, texts: Sequence[str]) -> None:
        """Writes what has been read of ``texts``, and nothing else, for the next process; this one
        then holds them in the mapped file instead of in memory of its own."""
        if self._kept is not None and self._kept.write(self._recent.known(texts)):
            self._taken_in(self._kept, texts)

    def _taken_in(self, kept: UnitFile, texts: Sequence[str]) -> dict[str, Read]:
        found = kept.read()
        taken = {text: Read(*found[name]) for text in texts if (name := digest(text)) in found}
        self._recent.remember(taken)
        return taken

    def _read(self, texts: Sequence[str]) -> list[Read]:
        encodings = self._tokenizer.encode_batch(list(texts))
        answers = self._network.run([Row(e.ids, e.type_ids) for e in encodings])
        return [
            Read.of(tokens, _softmax(weights[:, 0]), whole) for tokens, weights, whole in answers
        ]


def numbers_of(tensors: Path) -> NDArray[np.float32]:
    """The learnt head in a file. Raises AdapterUnusable where it holds none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(tensors, "np") as file:
            head: NDArray[np.float32] = file.get_tensor(HEAD).astype(np.float32)
    except (OSError, ValueError, SafetensorError) as error:
        raise AdapterUnusable(f"{tensors} cannot be read: {error}") from None
    return head


def _in_steps(unit: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.rint(unit * STEPS).astype(np.int8)


def _softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(values - values.max())
    result: NDArray[np.float32] = powers / powers.sum()
    return result
