"""The figures of ``finetune evaluate gate`` as one HTML page with plots, no network needed."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2430 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #dde2e8 }
th:first-child, td:first-child { text-align: left }
svg text { font: 13px system-ui, sans-serif; fill: #1c2430 }
"""
_BAR: Final = 22  # pixels a bar
_LEFT: Final = 170
_WIDTH: Final = 420


def html_report(figures: Mapping[str, Any]) -> str:
    """A page that stands alone: false holds, recall, and recall under each disguise."""
    parts = ["<h1>The gate</h1>", f"<p>{figures['n']} texts.</p>", "<h2>False holds</h2>"]
    for side, holds in figures["false_holds"].items():
        parts.append(f"<h3>{escape(side)}: {holds['held']} of {holds['n']} honest texts</h3>")
        rates = {name: group["rate"] or 0.0 for name, group in holds["by_group"].items()}
        parts.append(_bars(rates, scale=max(0.05, *rates.values()) if rates else 0.05))
        parts += [
            f"<p>“{escape(example['text'])}”<br><small>{escape(example['reason'])}</small></p>"
            for example in holds["examples"]
        ]
    parts.append("<h2>Found as sent</h2>")
    parts.append(_bars({name: row["found"] or 0.0 for name, row in figures["recall"].items()}))
    parts.append("<h2>Found in disguise</h2>")
    parts.append("<p>Share found; dark: disguised, pale: as sent.</p>")
    tables = figures["evasions"]
    parts.append(
        _bars(
            {name: table["all"]["disguised"] for name, table in tables.items() if table},
            behind={name: table["all"]["plain"] for name, table in tables.items() if table},
        )
    )
    parts.append(_lost_table(tables))
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>The gate</title>'
        f"<style>{_STYLE}</style><body>{body}</body></html>\n"
    )


def _bars(
    values: Mapping[str, float], scale: float = 1.0, behind: Mapping[str, float] | None = None
) -> str:
    rows = []
    for number, (name, value) in enumerate(values.items()):
        y = number * _BAR
        pale = (behind or {}).get(name, 0.0)
        rows.append(
            f'<text x="0" y="{y + 15}">{escape(name)}</text>'
            f'<rect x="{_LEFT}" y="{y + 3}" width="{pale / scale * _WIDTH:.1f}" height="16" '
            f'fill="#cfd8e3"/>'
            f'<rect x="{_LEFT}" y="{y + 6}" width="{value / scale * _WIDTH:.1f}" height="10" '
            f'fill="#2f5d8a"/>'
            f'<text x="{_LEFT + _WIDTH + 10}" y="{y + 15}">{value:.3f}</text>'
        )
    height = max(1, len(values)) * _BAR
    return (
        f'<svg role="img" aria-label="{escape(", ".join(values))}" '
        f'width="{_LEFT + _WIDTH + 70}" height="{height}">{"".join(rows)}</svg>'
    )


def _lost_table(tables: Mapping[str, Any]) -> str:
    categories = list(dict.fromkeys(name for table in tables.values() for name in table))
    head = "".join(f"<th>{escape(name)}</th>" for name in categories)
    rows = [f"<tr><th>points lost</th>{head}</tr>"]
    for name, table in tables.items():
        cells = "".join(
            f"<td>{table[category]['lost'] * 100:+.1f}</td>" if category in table else "<td></td>"
            for category in categories
        )
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return f"<table>{''.join(rows)}</table>"
