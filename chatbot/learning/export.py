"""Examples as training rows: answers to imitate, and pairs of a better and a worse answer.

A row's answer must cite as the model is taught to: a claim that no passage supports teaches
inventing, so such answers are left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatbot.answering.citations import with_marks
from chatbot.answering.kinds import sentence_kind
from chatbot.answering.sentences import split_sentences
from chatbot.conversations.office import Office
from chatbot.learning.examples import Example, examples
from chatbot.types import SentenceKind

Row = dict[str, Any]


@dataclass
class Exported:
    """``answers`` as ``finetune answers`` reads them; ``preferences`` with chosen and rejected."""

    answers: list[Row] = field(default_factory=list)
    preferences: list[Row] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


async def export(office: Office) -> Exported:
    """Every example that may be learnt from, as rows."""
    found = Exported()
    async for example in examples(office):
        add(found, example, office.company.name)
    return found


def add(found: Exported, example: Example, company: str) -> None:
    if not example.passages:
        found.left_out["no passages"] += 1  # an agent's own knowledge: nothing to answer from
        return
    final = _final(example)
    if final is None:
        found.left_out["a claim without a passage"] += 1
        return
    base: Row = {
        "question": example.question,
        "passages": [
            {name: str(passage.get(name, "")) for name in ("title", "heading", "text")}
            for passage in example.passages
        ],
        "history": [{"role": m.role, "text": m.text} for m in example.history],
        "company": company,
    }
    found.answers.append({**base, "answer": final, "kind": f"desk_{example.verdict}"})
    rejected = _draft(example)
    if example.verdict != "approved" and rejected and rejected != final:
        pair = {"chosen": final, "rejected": rejected, "verdict": example.verdict}
        about = {"reasons": list(example.reasons), "why": example.why}
        found.preferences.append({**base, **pair, **about})


def _draft(example: Example) -> str:
    marked = (s["separator"] + with_marks(s["text"], s["cited"]) for s in example.sentences)
    return "".join(marked).strip()


def _final(example: Example) -> str | None:
    """The text that the customer got, with marks; None where a claim has no passage."""
    if example.verdict == "approved":
        return _marked(_supported(example.sentences))
    known = {s["text"]: tuple(s["supported_by"]) for s in example.sentences}
    cited = {int(c["number"]): str(c["quote"]) for c in example.citations}
    pairs = [
        (text, known.get(text) or nearest(text, cited)) for text in split_sentences(example.final)
    ]
    return _marked((" ", text, numbers) for text, numbers in pairs)


def _supported(
    sentences: Iterable[Mapping[str, Any]],
) -> Iterable[tuple[str, str, tuple[int, ...]]]:
    for sentence in sentences:
        yield sentence["separator"], sentence["text"], tuple(sentence["supported_by"])


def _marked(sentences: Iterable[tuple[str, str, tuple[int, ...]]]) -> str | None:
    answer = ""
    for separator, text, numbers in sentences:
        claim = sentence_kind(text) is SentenceKind.CLAIM
        if claim and not numbers:
            return None
        answer += separator + with_marks(text, numbers if claim else ())
    return answer.strip() or None


def nearest(text: str, cited: Mapping[int, str]) -> tuple[int, ...]:
    """The one cited passage that shares the most words with a sentence; () where none is."""
    words = {word.strip(".,!?;:").lower() for word in text.split()}
    shared = {
        number: len(words & {word.strip(".,!?;:").lower() for word in quote.split()})
        for number, quote in cited.items()
    }
    best = max(shared, key=lambda number: shared[number], default=None)
    return () if best is None or not shared[best] else (best,)
