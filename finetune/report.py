"""Evaluation reports that a person reads: one HTML file, no script, nothing to fetch.

A report opens with the figures and goes on with what went wrong, since that is what a reader
can act on; what went right follows, folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --bad: #c0392b; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0 1rem; opacity: .8; }
dl { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
dl div { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .8rem; }
dt { font-size: .8rem; opacity: .7; } dd { margin: 0; font-size: 1.25rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; white-space: pre-line; }
th { background: var(--soft); position: sticky; top: 0; }
summary { cursor: pointer; font-weight: 600; margin-top: 2rem; }
"""


COLOURS = ("#2471a3", "#ca6f1e", "#229954", "#7d3c98")


@dataclass(frozen=True)
class Section:
    """Rows of one table; the keys of the first row are its columns."""

    heading: str
    note: str
    rows: Sequence[Mapping[str, Any]]
    folded: bool = False


@dataclass(frozen=True)
class Curve:
    """Lines over the same x; each line is a name and its (x, y) points."""

    heading: str
    x: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


def write_report(
    path: Path,
    title: str,
    about: str,
    figures: Mapping[str, Any],
    sections: Sequence[Section],
    curves: Sequence[Curve] = (),
) -> None:
    """``figures``: plain values become tiles, mappings a table of their own."""
    tiles = {name: value for name, value in figures.items() if not isinstance(value, Mapping)}
    tables = {name: value for name, value in figures.items() if isinstance(value, Mapping)}
    parts = [
        f"<h1>{escape(title)}</h1><p>{escape(about)}</p>",
        "<dl>",
        *(
            f"<div><dt>{escape(name)}</dt><dd>{escape(_shown(value))}</dd></div>"
            for name, value in tiles.items()
        ),
        "</dl>",
    ]
    for name, table in tables.items():
        rows = [{"": key, "value": value} for key, value in table.items()]
        parts.append(_section(Section(name, "", rows)))
    parts += [_drawn(curve) for curve in curves]
    parts += [_section(section) for section in sections]
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _drawn(curve: Curve) -> str:
    """An SVG picture; lines without two points are left out."""
    lines = {name: points for name, points in curve.lines.items() if len(points) > 1}
    if not lines:
        return ""
    everything = [point for points in lines.values() for point in points]
    xs, ys = zip(*everything, strict=True)
    left, low = min(xs), min(0.0, *ys)
    across, up = (max(xs) - left) or 1.0, (max(ys) - low) or 1.0
    drawn = []
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = " ".join(
            f"{60 + 620 * (x - left) / across:.1f},{220 - 200 * (y - low) / up:.1f}"
            for x, y in points
        )
        drawn.append(
            f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{70 + 160 * number}" y="14" fill="{colour}">{escape(name)}</text>'
        )
    axes = (
        '<path d="M60 20V220H680" fill="none" stroke="currentColor" opacity=".5"/>'
        f'<text x="54" y="26" text-anchor="end">{max(ys):.3g}</text>'
        f'<text x="54" y="224" text-anchor="end">{low:.3g}</text>'
        f'<text x="680" y="240" text-anchor="end">{escape(curve.x)} {max(xs):g}</text>'
    )
    picture = (
        '<svg viewBox="0 0 700 250" font-size="12" fill="currentColor" role="img" '
        f'aria-label="{escape(curve.heading)}">{axes}{"".join(drawn)}</svg>'
    )
    return f"<h2>{escape(curve.heading)}</h2>{picture}"


def _section(section: Section) -> str:
    heading = f"{section.heading} ({len(section.rows)})"
    note = f"<p>{escape(section.note)}</p>" if section.note else ""
    body = note + (_table(section.rows) if section.rows else "<p>None.</p>")
    if section.folded:
        return f"<details><summary>{escape(heading)}</summary>{body}</details>"
    return f"<h2>{escape(heading)}</h2>{body}"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(rows[0])
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = (
        "<tr>" + "".join(f"<td>{escape(_shown(row.get(c, '')))}</td>" for c in columns) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return str(value)
