"""A claim against one passage: what agrees, what is missing, what contradicts.

Nothing here is learned. ``compare`` gives the problems that no score can outweigh (a hard
fact that the passage does not state in that connection) and the numbers that the trained
head reads beside its own judgement of the meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chatbot.safety.grounding_claim import Claim, share
from chatbot.safety.grounding_polarity import conditions, opposed
from chatbot.safety.grounding_stated import StatedFacts
from chatbot.safety.grounding_units import PassageUnits, Unit

FEATURES = (
    "coverage", "coverage_two", "coverage_passage", "coverage_own", "missing_words",
    "facts", "facts_missing", "facts_displaced", "fact_context", "names_missing",
    "names_displaced", "negation_differs", "antonym", "condition_dropped", "condition_added",
    "length_ratio",
)  # fmt: skip
_CONTEXT_WEIGHT = 0.8  # a word of the title path supports nearly as well as one of the sentence
_NEAR_COPY = 0.8  # above this share of shared words, a differing 'not' is no paraphrase


@dataclass(frozen=True, slots=True)
class Comparison:
    """``features`` in the order of FEATURES; ``evidence`` are the nearest units, in order."""

    problems: tuple[str, ...]
    features: tuple[float, ...]
    evidence: tuple[Unit, ...]

    @property
    def coverage(self) -> float:
        return self.features[0]


def compare(
    claim: Claim, passage: PassageUnits, own_names: frozenset[str] = frozenset(), *, units: int = 3
) -> Comparison:
    """``own_names`` (stems) are names that need no support, such as the company's own."""
    if not passage.units:
        return Comparison(("The passage has no text.",), (0.0,) * len(FEATURES), ())
    if own_names & set(claim.stems):
        claim = replace(claim, stems=tuple(s for s in claim.stems if s not in own_names))
    shares = [_coverage(claim.stems, unit) for unit in passage.units]
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    best = passage.units[order[0]]
    nearest = tuple(passage.units[i] for i in sorted(order[:units]))
    covered = set(best.all_stems).union(*(passage.units[i].all_stems for i in order[:2]))

    facts = StatedFacts(claim, passage, best, own_names)
    negation, antonym = opposed(claim, best)
    clause = max(best.scopes, key=lambda s: share(claim.stems, s.stems))
    close = max(shares[order[0]], share(claim.stems, best.all_stems))
    problems = list(facts.problems)
    if close >= _NEAR_COPY and negation:
        problems.append(f"It says the opposite of “{best.text}”")
    elif close >= _NEAR_COPY - 0.1 and antonym:
        problems.append(f"It says “{antonym[0]}”, the passage “{antonym[1]}”.")
    bound = conditions(claim.text), conditions(clause.text)
    features = (
        shares[order[0]],
        share(claim.stems, covered),
        share(claim.stems, passage.stems),
        share(claim.stems, best.stems),
        float(sum(s not in passage.stems for s in claim.stems)),
        float(len(facts.wanted)),
        float(len(facts.missing)),
        float(len(facts.displaced)),
        facts.context,
        float(len(facts.names_missing)),
        float(len(facts.names_displaced)),
        float(negation),
        float(antonym is not None),
        float(len(bound[1] - bound[0])),
        float(len(bound[0] - bound[1])),
        min(2.0, len(claim.stems) / max(1, len(best.stems))),
    )
    return Comparison(tuple(problems), features, nearest)


def _coverage(stems: tuple[str, ...], unit: Unit) -> float:
    if not stems:
        return 1.0
    gained = sum(
        1.0 if s in unit.stems else _CONTEXT_WEIGHT if s in unit.context_stems else 0.0
        for s in stems
    )
    return gained / len(stems)
