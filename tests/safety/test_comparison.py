"""Where the texts of ``moderate`` come from: an argument, a file, or standard input."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from chatbot.safety.comparison import lines_of


def test_a_path_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "hello"}\nwo ist es?\n\xff broken\n')
    assert lines_of(str(path)) == ['{"text": "hello"}', "wo ist es?", "\ufffd broken"]


@pytest.mark.parametrize("text", ["hello", "a/b/c.txt", "x" * 100_000, "a\0b", "", "."])
def test_any_other_text_is_itself(text: str) -> None:
    assert lines_of(text) is None


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo \xff\n")))
    lines = lines_of("-")
    assert lines is not None
    assert list(lines) == ["one\n", "two \ufffd\n"]
