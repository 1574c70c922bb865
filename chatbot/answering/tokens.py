"""The tokenizer of an answer model, without transformers where its files allow.

Importing transformers (and torch, which it imports) takes three seconds and 250 MB that a server
which decodes elsewhere does not need. ``FastTokenizer`` is the part of its tokenizers that
``prompt.encode`` and the engines use; a model without ChatML's tokens keeps transformers' own,
whose chat template is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chatbot.answering.prompt import ABSTENTION
from chatbot.errors import SetupError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHATML_START = "<|im_start|>"


class FastTokenizer:
    """A ``tokenizer.json``, read by the library that transformers wraps. Safe for several threads:
    where control tokens are words is not a switch, there is a copy for each."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        path = str(folder / "tokenizer.json")
        self._control, self._plain = Tokenizer.from_file(path), Tokenizer.from_file(path)
        self._plain.encode_special_tokens = True
        for tokenizer in (self._control, self._plain):
            tokenizer.no_padding()
            tokenizer.no_truncation()
        end = _json(folder / "tokenizer_config.json").get("eos_token")
        name = end.get("content") if isinstance(end, dict) else end
        self.eos_token_id: int | None = self._control.token_to_id(name) if name else None

    def get_added_vocab(self) -> dict[str, int]:
        added = self._control.get_added_tokens_decoder()
        return {token.content: number for number, token in added.items()}

    def get_vocab(self) -> dict[str, int]:
        return dict(self._control.get_vocab())

    def __call__(
        self, text: str, *, add_special_tokens: bool, split_special_tokens: bool
    ) -> Mapping[str, list[int]]:
        tokenizer = self._plain if split_special_tokens else self._control
        return {"input_ids": tokenizer.encode(text, add_special_tokens=add_special_tokens).ids}

    def decode(
        self,
        ids: Sequence[int],
        *,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool = False,
    ) -> str:
        """``clean_up_tokenization_spaces`` is never done, whatever is said."""
        return str(self._control.decode(list(ids), skip_special_tokens=skip_special_tokens))


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model's folder. Raises SetupError naming a file that cannot be read."""
    if (folder / "tokenizer.json").exists():
        try:
            fast = FastTokenizer(folder)
        except Exception as error:  # the library raises bare Exception
            raise SetupError(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        if CHATML_START in fast.get_added_vocab():
            return cast("PreTrainedTokenizerBase", fast)
    from transformers import AutoTokenizer

    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    return found


def stop_ids(base: Path, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The tokens that end an answer: of the generation config and of the tokenizer."""
    configured = _json(base / "generation_config.json").get("eos_token_id")
    if configured is None:
        configured = _json(base / "config.json").get("eos_token_id")
    stops = configured if isinstance(configured, list) else [configured]
    found = {int(token) for token in [*stops, tokenizer.eos_token_id] if isinstance(token, int)}
    return tuple(sorted(found))


def abstention_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token with which the abstention begins, and no other answer that training teaches."""
    read = tokenizer(ABSTENTION, add_special_tokens=False, split_special_tokens=True)
    return int(read["input_ids"][0])


def beginnings(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The tokens that an answer may begin with: capital letters, digits, and where there are no
    capitals (中, ب) any letter."""
    vocabulary = tokenizer.get_vocab()
    texts = {number: str(tokenizer.decode([number])) for number in vocabulary.values()}
    firsts = {number: text[:1] for number, text in texts.items()}
    return tuple(sorted(n for n, at in firsts.items() if at.isalnum() and at == at.upper()))


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content
