"""What the heads of the screen reach on dev and test rows, as figures and as a model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from chatbot.safety.injection import about_a_model
from chatbot.safety.passages import passage_marker
from chatbot.safety.tone import tone_of
from chatbot.types import Tone
from finetune.screen_data import ARTICLE, Row

TONES: Final = tuple(Tone)
ORDINARY: Final = frozenset({"legit", "router", "ordinary", "question", "talk"})
UNMOVED: Final = frozenset({"question", "talk"})
"""Of these nobody is angry; what a desk hears all day is, now and then."""
HARD: Final = frozenset({"hard_negative", "none"})
FOR_PASSAGES: Final = frozenset({"passage_injection", "quoted_article", "fake_tool_output"})
"""Kinds of attack that are written into articles."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A row as the screen reads it: worst score over its views, the rules beside."""

    row: Row
    injection: float
    crisis: float
    tone: dict[Tone, float]
    marker: bool
    alarm: bool


def report(scored: Sequence[Scored], thresholds: dict[str, float]) -> dict[str, Any]:
    """Figures by split; those of ``test`` are the ones to quote."""
    document: dict[str, Any] = {"thresholds": {k: round(v, 4) for k, v in thresholds.items()}}
    for split in ("dev", "test"):
        part = [s for s in scored if s.row.split == split]
        document[split] = {
            "injection": _binary(part, "injection", "marker", thresholds["injection"]),
            "crisis": _binary(part, "crisis", "alarm", thresholds["crisis"]),
            "concern": _binary(part, "crisis", "alarm", thresholds["concern"]),
            "unseen": _unseen(part, thresholds),
            "tone": _tones(part, thresholds["harsh"]),
            "passages": _passages(part, thresholds["passage"]),
        }
    return document


def _binary(part: Sequence[Scored], head: str, rule: str, threshold: float) -> dict[str, Any]:
    def flagged(s: Scored) -> bool:
        return bool(getattr(s, head) >= threshold or getattr(s, rule))

    labelled = [s for s in part if getattr(s.row, head) is not None and s.row.source != ARTICLE]
    attacks = [s for s in labelled if getattr(s.row, head) == 1]
    legit = [s for s in labelled if s.row.source in ORDINARY]
    hard = [s for s in labelled if s.row.source in HARD]
    kinds = sorted({s.row.source for s in attacks})
    return {
        "positives": len(attacks),
        "recall": _rate(flagged(s) for s in attacks),
        "recall_rules_only": _rate(bool(getattr(s, rule)) for s in attacks),
        "legit": len(legit),
        "false_alarms_on_legit": _rate(flagged(s) for s in legit),
        "false_alarms_of_rules": _rate(bool(getattr(s, rule)) for s in legit),
        "hard_negatives": len(hard),
        "false_alarms_on_hard_negatives": _rate(flagged(s) for s in hard),
        "false_alarms_on_both": _rate(flagged(s) for s in (*legit, *hard)),
        "recall_by_kind": {
            kind: _rate(flagged(s) for s in attacks if s.row.source == kind) for kind in kinds
        },
    }


def _unseen(part: Sequence[Scored], thresholds: dict[str, float]) -> dict[str, Any]:
    """The same on families of messages of which no row was trained on."""
    rows = [s for s in part if s.row.family]
    return {
        "injection": _binary(rows, "injection", "marker", thresholds["injection"]),
        "crisis": _binary(rows, "crisis", "alarm", thresholds["crisis"]),
        "concern": _binary(rows, "crisis", "alarm", thresholds["concern"]),
    }


def _passages(part: Sequence[Scored], threshold: float) -> dict[str, Any]:
    def left_out(s: Scored) -> bool:
        sure = s.injection >= threshold and about_a_model(s.row.text)
        return sure or s.marker or passage_marker(s.row.text) is not None

    articles = [s for s in part if s.row.source == ARTICLE]
    poisoned = [s for s in part if s.row.source in FOR_PASSAGES]
    return {
        "pieces": len(articles),
        "pieces_left_out": _rate(left_out(s) for s in articles),
        "poisoned": len(poisoned),
        "poisoned_left_out": _rate(left_out(s) for s in poisoned),
    }


def _tones(part: Sequence[Scored], least: float) -> dict[str, Any]:
    rows = [s for s in part if s.row.tone is not None]
    guessed = [tone_of(s.tone, 0.0, 0.0, least) for s in rows]
    unmoved = [s for s in part if s.row.source in UNMOVED]
    return {
        "n": len(rows),
        "unmoved": len(unmoved),
        "unmoved_called_harsh": _rate(
            tone_of(s.tone, 0.0, 0.0, least) not in (Tone.CALM, Tone.FRUSTRATED) for s in unmoved
        ),
        "accuracy": _rate(g is s.row.tone for s, g in zip(rows, guessed, strict=True)),
        "within_one_step": _rate(
            abs(TONES.index(g) - TONES.index(s.row.tone)) <= 1
            for s, g in zip(rows, guessed, strict=True)
            if s.row.tone is not None
        ),
        "by_tone": {
            tone.value: _rate(
                g is tone for s, g in zip(rows, guessed, strict=True) if s.row.tone is tone
            )
            for tone in TONES
        },
    }


def _rate(values: Any) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else None


def card(metrics: dict[str, Any], seed: int) -> str:
    test = metrics["test"]
    lines = [
        "# Heads that read a customer's message",
        "",
        "Three linear heads (injection, crisis, tone) on hashed n-grams of characters and words",
        f"and on sentence vectors of `{metrics['encoder']}`:",
        "the shared encoder's vector and, for injection and crisis, that of a copy with a LoRA",
        "adapter trained for both. The injection head reads passages too, with a threshold of its",
        "own.",
        "",
        f"Made by `python -m finetune screen --seed {seed}` from `finetune/data/safety`,",
        "`screen` and `router` and the sample articles (written for this project by an AI model;",
        "see the READMEs there). Thresholds come from dev rows, the figures below from test rows",
        "of the same writer, with the rules beside the heads as in serving.",
        "",
        "| | found | false alarms on support messages | on hard negatives | on both |",
        "|---|---|---|---|---|",
    ]
    for head in ("injection", "crisis", "concern"):
        for name, figures in ((head, test[head]), (f"{head}, unseen", test["unseen"][head])):
            lines.append(
                f"| {name} | {figures['recall']:.3f} of {figures['positives']} | "
                f"{figures['false_alarms_on_legit']} of {figures['legit']} | "
                f"{figures['false_alarms_on_hard_negatives']} of {figures['hard_negatives']} | "
                f"{figures['false_alarms_on_both']} |"
            )
    tone, passages = test["tone"], test["passages"]
    lines += [
        "",
        "`concern` is the lower threshold of the crisis head: a person reads the answer first, no",
        "crisis text is sent. `unseen` are families of messages that were kept out of training and",
        "dev; hard negatives are written to sound like the real thing.",
        "",
        "Injection found by kind: "
        + ", ".join(f"{k} {v:.2f}" for k, v in test["injection"]["recall_by_kind"].items())
        + ".",
        "",
        f"Passages: {passages['poisoned_left_out']} of {passages['poisoned']} sentences that give",
        f"orders to a model are left out, {passages['pieces_left_out']} of {passages['pieces']}",
        "pieces of honest articles.",
        "",
        f"Tone: right on {tone['accuracy']} of {tone['n']}, within one step on "
        f"{tone['within_one_step']}; called angry, abusive or threatening: "
        f"{tone['unmoved_called_harsh']} of {tone['unmoved']} questions and small talk. By tone: "
        + ", ".join(f"{name} {share}" for name, share in tone["by_tone"].items())
        + ". Beside it the toxicity model hears abuse and threats.",
        "",
        "Limits: English, with a few rows in other languages; a few hundred rows by one writer, so",
        "real traffic will differ. A threat to sue or to leave is anger, not a threat. The crisis",
        "rules and extra rows were written by someone who had read all of crisis.jsonl, so its",
        "test figure is not independent; the extra injection rows were written without the test.",
        "",
    ]
    return "\n".join(lines)
