"""What was to be reached, beside what was measured in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One row of the table. ``met`` is None where a part was not measured."""

    figure: str
    target: str
    measured: str
    met: bool | None


def lines(found: dict[str, Any]) -> Iterator[Line]:
    """Every target of ``_TARGETS``, whether it was measured or not."""
    for figure, sign, target, unit, value in _TARGETS:
        try:
            measured = float(value(found))
        except (KeyError, IndexError, TypeError, ZeroDivisionError):
            yield Line(figure, f"{sign} {target:g}{unit}", "", None)
            continue
        met = measured <= target if sign == "≤" else measured >= target
        yield Line(figure, f"{sign} {target:g}{unit}", f"{measured:.3g}{unit}", met)


def _customers(found: dict[str, Any], count: int) -> dict[str, Any]:
    row: dict[str, Any] = found["turns"][f"customers_{count}"]
    return row


def _plain(found: dict[str, Any], tokens: int, count: int) -> dict[str, Any]:
    row: dict[str, Any] = next(p for p in found["plain"] if p["new_tokens"] == tokens)
    plain: dict[str, Any] = row[f"customers_{count}"]
    return plain


def _beyond_limit(found: dict[str, Any]) -> float:
    engines = found["engines"]
    return float(
        engines["limit"]["tokens_per_s_at_most"] / engines["openvino f16"]["tokens_per_s_1"]
    )


def _llama(found: dict[str, Any]) -> float:
    engines = found["engines"]
    theirs = engines["llama.cpp f16"]["tokens_per_s_1"]
    return float(engines["openvino f16"]["tokens_per_s_1"] / theirs)


def _together(found: dict[str, Any]) -> float:
    engines = found["engines"]
    slow = engines["transformers float32"]["tokens_per_s_1"]
    return float(engines["openvino f16"]["tokens_per_s_8"] / slow)


def _turns(found: dict[str, Any], tokens: int) -> float:
    plain = _plain(found, tokens, 8)["turns_per_s"]
    return float(_customers(found, 8)["turns_per_s"] / plain)


def _first(found: dict[str, Any], count: int) -> float:
    plain = _plain(found, 64, count)["first_text_s"]["p50"]
    return float(_customers(found, count)["first_sentence_s"]["p50"] / plain)


def _stage(name: str, people: int, share: str) -> Callable[[dict[str, Any]], float]:
    return lambda found: 1000 * float(found["stages"][str(people)][name][share])


def _reading(found: dict[str, Any]) -> float:
    return _stage("understand_s", 1, "p50")(found) + _stage("retrieve_s", 1, "p50")(found)


def _most_memory(found: dict[str, Any]) -> float:
    rows = [row for name, row in found["turns"].items() if name.startswith("customers_")]
    return max(float(row["memory_mb"]["rss"]) for row in rows) / 1000


def _growth(found: dict[str, Any]) -> float:
    tenths = [row["memory_mb"]["rss"] for row in found["soak"]["tenths"]]
    return 100 * (float(tenths[-1]) / float(tenths[2]) - 1)


_TARGETS: tuple[tuple[str, str, float, str, Callable[[dict[str, Any]], float]], ...] = (
    ("the bandwidth limit of one request, over what is reached", "≤", 1.3, "×", _beyond_limit),
    ("tokens/s of one request, over llama.cpp at f16", "≥", 0.9, "×", _llama),
    ("tokens/s for 8 requests, over transformers float32 for 1", "≥", 10, "×", _together),
    ("turns/s at 8, over the plain program with 64 tokens", "≥", 20, "×", lambda f: _turns(f, 64)),
    ("turns/s at 8, over it with 24 tokens, as ours has", "≥", 10, "×", lambda f: _turns(f, 24)),
    ("first sentence at 1, of the plain program's", "≤", 0.12, "×", lambda f: _first(f, 1)),
    ("first sentence at 8, of the plain program's", "≤", 0.04, "×", lambda f: _first(f, 8)),
    (
        "first sentence at 1, p50",
        "≤",
        0.6,
        " s",
        lambda f: _customers(f, 1)["first_sentence_s"]["p50"],
    ),
    (
        "first sentence at 1, p95",
        "≤",
        1.2,
        " s",
        lambda f: _customers(f, 1)["first_sentence_s"]["p95"],
    ),
    ("gate a sentence, 8 at once, p50", "≤", 8, " ms", _stage("gate_per_sentence_s", 8, "p50")),
    ("gate a sentence, 8 at once, p95", "≤", 25, " ms", _stage("gate_per_sentence_s", 8, "p95")),
    ("router, screen and retrieval, p50", "≤", 20, " ms", _reading),
    ("resident memory at most", "≤", 1.5, " GB", _most_memory),
    ("warm start", "≤", 8, " s", lambda f: f["turns"]["later_start_s"]),
    ("growth of memory over a soak, after its first third", "≤", 2, " %", _growth),
)
