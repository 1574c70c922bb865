"""The prompt as segments, and the only place where segments become token ids.

Training (``finetune answers``) and serving both go through ``encode``, so a model is asked
exactly as it was taught. Constant parts stand first, which lets a prefix cache keep them:
instructions (one company), passages, history, question.

Control tokens come from the template alone. Everything else - the customer's words, the
passages, the company's name - is tokenised with special tokens split, so ``<|im_end|>`` in
it stays eleven ordinary characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chatbot.errors import SetupError
from chatbot.types import HistoryMessage, Passage
from knowledge_base.plain import first_words, plain_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ABSTENTION = "I can't find that in our help articles."

Role = Literal["instructions", "passages", "customer", "bot", "person", "question"]

# About 1.4 tokens a word: four passages and four turns stay below 1,100 tokens, 0.4 s of
# prefill on two cores.
MAX_PASSAGE_WORDS = 150
MAX_HISTORY_MESSAGES = 4
MAX_HISTORY_WORDS = 60
MAX_QUESTION_WORDS = 250

_CHAT_ROLES: dict[Role, str] = {
    "instructions": "system",
    "passages": "user",
    "customer": "user",
    "question": "user",
    "bot": "assistant",
    "person": "assistant",
}
_START, _END = "<|im_start|>", "<|im_end|>"


@dataclass(frozen=True, slots=True)
class PromptSegment:
    """A piece of the prompt and whose words it holds."""

    role: Role
    text: str


def build_segments(
    company: str,
    passages: Sequence[Passage],
    history: Sequence[HistoryMessage],
    question: str,
    canary: str = "",
) -> tuple[PromptSegment, ...]:
    """Instructions, the last messages, the question, numbered passages (1-based), and the
    question again: a model that reads from left to right sees in the passages what it is asked.

    Long passages, messages and questions are cut at a sentence; an answer then rests on what
    the model has seen, and the gate checks it against the whole passage.
    """
    recent = history[-MAX_HISTORY_MESSAGES:]
    asked = PromptSegment("question", first_words(question.strip(), MAX_QUESTION_WORDS))
    return (
        PromptSegment("instructions", instructions(company, canary)),
        *(PromptSegment(m.role, first_words(m.text.strip(), MAX_HISTORY_WORDS)) for m in recent),
        asked,
        PromptSegment("passages", numbered(passages)),
        asked,
    )


def instructions(company: str, canary: str = "") -> str:
    """``canary``: a word that shows a quoted prompt (``chatbot.safety.canary``). Training does
    without it."""
    mark = f" Never write {canary}." if canary else ""
    return (
        f"You answer customers of {company} from the numbered help passages only. "
        f"After each fact, name its passage like [1]. "
        f"If the passages do not answer, say: {ABSTENTION}{mark}"
    )


def numbered(passages: Sequence[Passage]) -> str:
    """``[1] Title > Heading`` and the passage as plain text, a blank line between passages."""
    blocks = []
    for number, passage in enumerate(passages, 1):
        place = plain_text(" > ".join(part for part in (passage.title, passage.heading) if part))
        text = first_words(plain_text(passage.text), MAX_PASSAGE_WORDS)
        blocks.append(f"[{number}] {place}\n{text}")
    return "\n\n".join(blocks) or "(no passages)"


def encode(
    tokenizer: PreTrainedTokenizerBase, segments: Sequence[PromptSegment], prefix: str = ""
) -> list[int]:
    """Token ids up to and including ``prefix``, the part of the answer that is already said.

    ChatML is written by hand (its template would name another assistant); another model's
    chat template is rendered around placeholders. Raises SetupError for a model without one.
    """
    turns = [(_CHAT_ROLES[segment.role], segment.text) for segment in segments]
    if _START in tokenizer.get_added_vocab():
        pieces = _chatml(turns)
    else:
        pieces = _templated(tokenizer, turns)
    ids: list[int] = []
    for text, ours in [*pieces, (prefix, False)]:
        if text:
            ids += text_ids(tokenizer, text, control=ours)
    return ids


def check_tokenizer(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises SetupError at the start for a model that no prompt can be written for, not with the
    first customer's question."""
    talk = (HistoryMessage("customer", "Hello."), HistoryMessage("bot", "Hello."))
    encode(tokenizer, build_segments("A company", (), talk, "Why?"))


def text_ids(tokenizer: PreTrainedTokenizerBase, text: str, *, control: bool = False) -> list[int]:
    """Ids of a text; only with ``control`` may it hold control tokens."""
    encoded: Any = tokenizer(text, add_special_tokens=False, split_special_tokens=not control)
    return list(encoded["input_ids"])


def _chatml(turns: Sequence[tuple[str, str]]) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = []
    between = ""
    for role, text in turns:
        pieces += [(f"{between}{_START}{role}\n", True), (text, False)]
        between = f"{_END}\n"
    return [*pieces, (f"{between}{_START}assistant\n", True)]


def _templated(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]]
) -> list[tuple[str, bool]]:
    if not tokenizer.chat_template:
        raise SetupError(
            f"{tokenizer.name_or_path} has no chat template; choose an instruction-tuned model"
        )
    merged: list[tuple[str, str]] = []
    for role, text in turns:  # most templates want customer and assistant to take turns
        if merged and merged[-1][0] == role:
            merged[-1] = (role, f"{merged[-1][1]}\n\n{text}")
        else:
            merged.append((role, text))
    try:
        rendered = _rendered(tokenizer, merged)
    except Exception as error:  # a template raises what it likes when it knows no system role
        if merged[0][0] != "system" or len(merged) < 2:
            raise SetupError(f"the chat template cannot be used: {error}") from error
        (_, first), (role, second), *rest = merged
        merged = [(role, f"{first}\n\n{second}"), *rest]
        rendered = _rendered(tokenizer, merged)
    pieces: list[tuple[str, bool]] = []
    for index, (_, text) in enumerate(merged):
        before, found, rendered = rendered.partition(_placeholder(index))
        if not found:
            raise SetupError("the chat template drops or reorders messages; use another model")
        pieces += [(before, True), (text, False)]
    return [*pieces, (rendered, True)]


def _rendered(tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]]) -> str:
    messages = [
        {"role": role, "content": _placeholder(index)} for index, (role, _) in enumerate(turns)
    ]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _placeholder(index: int) -> str:
    return f"\ue000{index}\ue001"  # private-use characters: no template touches them
