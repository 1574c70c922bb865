"""The only type that may reach a customer.

``Released`` cannot be built by hand: three functions mint it, and each writes down on whose
word the text leaves. Whatever sends to a customer takes ``Released`` and nothing else
(invariant 1). Staff see a ``Draft``, which no sender accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chatbot.types import Citation, Decision, Sentence, Verdict

_SEAL: Final = object()


class UngatedText(RuntimeError):
    """Somebody tried to release a text without a verdict, a decision or a static text's id."""


class Released:
    """A text with its provenance: gate verdict, a person's audited decision, or a static id."""

    __slots__ = ("citations", "provenance", "text")

    text: str
    provenance: Mapping[str, Any]
    citations: tuple[Citation, ...]

    def __init__(
        self,
        seal: object,
        text: str,
        provenance: Mapping[str, Any],
        citations: tuple[Citation, ...] = (),
    ) -> None:
        if seal is not _SEAL:
            raise UngatedText(
                "Released is minted by release_by_gate, release_by_person or release_static"
            )
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "provenance", provenance)
        object.__setattr__(self, "citations", citations)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Released.{name} cannot be changed after the gate has seen it")

    def __repr__(self) -> str:
        return f"Released(by={self.provenance.get('by')!r}, {len(self.text)} characters)"


def release_by_gate(
    text: str, decision: Decision, citations: tuple[Citation, ...] = ()
) -> Released:
    """Raises UngatedText unless the gate's verdict on exactly this text is to release it."""
    if decision.verdict is not Verdict.RELEASE:
        raise UngatedText(f"the gate's verdict is {decision.verdict.value!r}, not 'release'")
    if decision.text != text:
        raise UngatedText("the gate has judged another text than the one that asks to leave")
    scores = {name: round(score, 4) for name, score in decision.scores.items()}
    return Released(_SEAL, text, {"by": "gate", "scores": scores}, citations)


def release_by_person(
    text: str,
    *,
    actor: str,
    decision: str,
    citations: tuple[Citation, ...] = (),
    override_reason: str | None = None,
) -> Released:
    """``decision`` is the audited act: 'approved', 'edited', 'rejected' or 'reply'."""
    if not actor or not decision:
        raise UngatedText("a person's release needs the actor and the decision")
    provenance: dict[str, Any] = {"by": "person", "actor": actor, "decision": decision}
    if override_reason:
        provenance["override_reason"] = override_reason
    return Released(_SEAL, text, provenance, citations)


def release_static(
    text_id: str, texts: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> Released:
    """A pre-approved text of ``company.toml`` by its id: leaves even when every model is down.

    ``labels`` fill the text's ``{name}`` places with words that ``routes.toml`` declares,
    as pre-approved as the text itself.
    """
    if text_id not in texts:
        raise UngatedText(f"company.toml has no text {text_id!r}")
    text = texts[text_id]
    for name, label in (labels or {}).items():
        text = text.replace("{" + name + "}", label)
    return Released(_SEAL, text, {"by": "static", "id": text_id})


KEPT = (Verdict.RELEASE, Verdict.HOLD)
"""What stays in a draft; any other verdict drops the sentence."""


class Draft:
    """What staff see before anything is released: sentences with the gate's word on each."""

    __slots__ = ("decisions", "sentences")

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.decisions: list[Decision] = []

    def add(self, sentence: Sentence, decision: Decision) -> None:
        self.sentences.append(sentence)
        self.decisions.append(decision)

    def kept(self, first: int = 0) -> list[Sentence]:
        """From sentence ``first`` on, without those that gave way to others."""
        judged = zip(self.sentences[first:], self.decisions[first:], strict=True)
        return [sentence for sentence, decision in judged if decision.verdict in KEPT]
