"""Whether a sentence is supported by the passages that it may rest on.

Hard facts decide first: a number, a date, a name that the passage does not state in that
connection is never outweighed. What is left is a question of meaning, which the trained head
answers. A claim needs one passage that supports it; one that cites several may take its parts
from each of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chatbot.safety.gate import Candidate, CheckResult
from chatbot.safety.grounding_claim import Claim
from chatbot.safety.grounding_compare import Comparison, compare
from chatbot.safety.grounding_head import GroundingHead, shared_head
from chatbot.safety.grounding_units import PassageUnits, joined, read_passage
from chatbot.safety.grounding_words import stem, tidy
from chatbot.types import Passage, Reason, ReasonCode, SentenceKind
from knowledge_base.encoder import EncoderFiles, TextEncoder
from knowledge_base.units import under

WEIGHTS = Path(__file__).parent / "weights" / "grounding"
READ_BY_HEAD = 3  # passages whose evidence the network reads for one claim, nearest first
ENOUGH_WORDS = 0.5  # share of the claim's words in one sentence; below, vectors choose evidence
# A pronoun is no subject of its own: in '…, and it costs £5' everything hangs on what 'it' is.
_OWN_SUBJECT = re.compile(
    r"[,;]? (?:and|but|so) (?=(?:you|we|our|your|the|a|an|please)\b)|; (?=(?:you|we|the)\b)", re.I
)
_PART_WORDS = 4
_SHOWN_CHARS = 160


@dataclass(frozen=True, slots=True)
class GroundingResult:
    """``score`` is the probability of support, 0 where a hard fact fails everywhere.

    ``passages`` are the 1-based numbers of those that support the sentence; ``problems`` say,
    for an unsupported one, what the nearest passage lacks.
    """

    supported: bool
    score: float
    passages: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


class GroundingChecker:
    """``own_names`` are names that every sentence may use, such as the company's."""

    def __init__(
        self, head: GroundingHead, encoder: TextEncoder, own_names: Sequence[str] = ()
    ) -> None:
        self.head, self.encoder = head, encoder
        self._vectors = lru_cache(maxsize=2048)(self._embedded)
        words = (word for name in own_names for word in name.lower().split())
        self.own_names = frozenset(stem(word) for word in words)

    @property
    def threshold(self) -> float:
        return self.head.threshold

    def check(
        self, sentence: str, passages: Sequence[Passage], *, cited: Sequence[int] = ()
    ) -> GroundingResult:
        """``cited`` (1-based) are looked at first; the others only where those do not support.

        A claim without hard facts or content words is judged by the head like any other.
        """
        if not passages:
            return GroundingResult(False, 0.0, (), ("There is no passage that could support it.",))
        claim = Claim.of(sentence)
        units = {n: read_passage(passage) for n, passage in enumerate(passages, 1)}
        first = {n: units[n] for n in cited if n in units}
        rest = {n: units[n] for n in units if n not in first}
        results = []
        for group in (first, rest):
            if group:
                results.append(self._judge(claim, group))
                if results[-1].supported:
                    return results[-1]
        combined = self._together(claim, units) if len(units) > 1 else None
        if combined is None or not combined.supported:
            combined = self._in_parts(claim, units)
        if combined.supported:
            return combined
        return max(results, key=lambda result: result.score)

    def _judge(self, claim: Claim, passages: dict[int, PassageUnits]) -> GroundingResult:
        said = tuple(n for n, p in passages.items() if verbatim(claim, p))
        if said:
            return GroundingResult(True, 1.0, said)
        compared = {n: compare(claim, p, self.own_names) for n, p in passages.items()}
        clean = [n for n in compared if not compared[n].problems and compared[n].evidence]
        clean = sorted(clean, key=lambda n: -compared[n].coverage)[:READ_BY_HEAD]
        logits = self.head.logits(
            [
                (self._neutral(claim, passages[n]), self._evidence(claim, passages[n], compared[n]))
                for n in clean
            ]
        )
        scores = {
            n: self.head.probability(float(logit), compared[n].features)
            for n, logit in zip(clean, logits, strict=True)
        }
        supporting = tuple(sorted(n for n in clean if scores[n] >= self.threshold))
        score = max(scores.values(), default=0.0)
        if supporting:
            return GroundingResult(True, score, supporting)
        nearest = max(compared.values(), key=lambda comparison: comparison.coverage)
        problems = nearest.problems or ("No passage says this.",)
        return GroundingResult(False, score, (), problems)

    def _neutral(self, claim: Claim, passage: PassageUnits) -> str:
        """'We' for an own name that the passage does not use: the network knows no companies."""
        text = claim.text
        for fact in reversed(claim.facts) if text == tidy(text) else ():
            if fact.value in self.own_names and fact.value not in passage.stems:
                text = f"{text[: fact.start]}we{text[fact.end :]}"
        opening = text.split(maxsplit=1)[0] if text else ""
        if stem(opening.lower()) in self.own_names - passage.stems:
            text = f"We{text[len(opening) :]}"
        return text

    def _evidence(self, claim: Claim, passage: PassageUnits, compared: Comparison) -> str:
        """Where words do not tell which sentences are meant, their vectors do."""
        if compared.coverage >= ENOUGH_WORDS or len(passage.units) <= len(compared.evidence):
            return evidence_text(passage, compared)
        units = self._vectors(tuple(unit.text for unit in passage.units))
        likeness = units @ self.encoder.embed([claim.text])[0]
        nearest = {passage.units[int(i)].text for i in likeness.argsort()[::-1][:2]}
        chosen = nearest | {unit.text for unit in compared.evidence[:2]}
        return f"{passage.place}. {' '.join(u.text for u in passage.units if u.text in chosen)}"

    def _embedded(self, texts: tuple[str, ...]) -> NDArray[np.float32]:
        return self.encoder.embed(texts)

    def _together(self, claim: Claim, passages: dict[int, PassageUnits]) -> GroundingResult:
        """The two nearest passages as one, for a claim that combines them."""
        shares = {
            n: len(set(claim.stems) & p.stems) + len(_stated(claim, p)) for n, p in passages.items()
        }
        pair = sorted(sorted(shares, key=lambda n: -shares[n])[:2])
        both = joined([passages[n] for n in pair])
        needed = [_stated(claim, passages[n]) for n in pair]
        if needed[0] <= needed[1] or needed[1] <= needed[0]:
            return GroundingResult(False, 0.0)  # one of the two adds no fact: nothing to combine
        result = self._judge(claim, {1: both})
        return GroundingResult(result.supported, result.score, tuple(pair), result.problems)

    def _in_parts(self, claim: Claim, passages: dict[int, PassageUnits]) -> GroundingResult:
        """'You can …, and we …': supported where each statement is, by whatever passage."""
        parts = _OWN_SUBJECT.split(claim.text)
        if len(parts) < 2 or any(len(part.split()) < _PART_WORDS for part in parts):
            return GroundingResult(False, 0.0)
        results = [self._judge(Claim.of(part), passages) for part in parts]
        return GroundingResult(
            all(result.supported for result in results),
            min(result.score for result in results),
            tuple(sorted({n for result in results for n in result.passages})),
        )


class GroundingCheck:
    """The gate's question: does a passage support this claim?"""

    name = "grounding"

    def __init__(self, checker: GroundingChecker) -> None:
        self.checker = checker

    def run(self, candidate: Candidate) -> CheckResult:
        """Only claims of the bot are judged; without passages none is supported."""
        if candidate.kind is not SentenceKind.CLAIM or candidate.by_person:
            return CheckResult()
        result = self.checker.check(candidate.text, candidate.passages, cited=candidate.cited)
        scores = {"grounding": result.score}
        if result.supported:
            return CheckResult((), scores, result.passages)
        reason = Reason(
            ReasonCode.UNSUPPORTED_CLAIM,
            " ".join(result.problems),
            rule=self.name,
            words=candidate.text[:_SHOWN_CHARS],
            score=result.score,
            threshold=self.checker.threshold,
        )
        return CheckResult((reason,), scores)


def load_grounding(
    encoder: TextEncoder, files: EncoderFiles, own_names: Sequence[str] = ()
) -> GroundingChecker:
    """The checker with the packaged head. Raises SetupError where it cannot be loaded."""
    return GroundingChecker(shared_head(WEIGHTS, files), encoder, own_names)


def evidence_text(passage: PassageUnits, comparison: Comparison) -> str:
    """What the network reads: the title path, then the nearest sentences, items and rows."""
    return f"{passage.place}. {' '.join(unit.text for unit in comparison.evidence)}"


def verbatim(claim: Claim, passage: PassageUnits) -> bool:
    """Whether the claim is a sentence, item or row of the passage, word for word, an item under
    the heading of its section, or a row with some of its cells: the marks that set cells apart and
    a full stop at the end say nothing."""
    said = claim.text.removesuffix(".")
    label, cells = _cells(said)
    heading = passage.place.rpartition(" > ")[2]
    for unit in passage.units:
        text = unit.text.removesuffix(".")
        of_row, own = _cells(text)
        if said in (text, under(heading, text)) or (cells and label == of_row and cells <= own):
            return True
    return False


def _cells(text: str) -> tuple[str, frozenset[str]]:
    """Label and cells of a table row as ``knowledge_base.plain`` writes it, legible or not."""
    label, mark, rest = text.partition(" – ")
    if not mark:
        label, _, rest = text.partition(": ")
    return label, frozenset(cell.replace(": ", " ", 1) for cell in rest.split("; ") if cell)


def _stated(claim: Claim, passage: PassageUnits) -> frozenset[str]:
    """Values of the claim's hard facts that the passage holds anywhere."""
    return frozenset(
        fact.value
        for fact in claim.facts
        if any(fact.agrees(other) for other in passage.facts)
        or (fact.kind == "name" and fact.value in passage.stems)
    )
