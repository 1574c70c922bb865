"""Patterns that a company writes: checked when they are read, given up when they take too long."""

from __future__ import annotations

import time

import pytest

from chatbot.company_regex import CompanyRegex, PatternTooSlow

SLOW = r"(?:y|yy)+[zk]$"  # no probe has a run of y


def test_a_pattern_that_backtracks_without_end_is_refused_when_it_is_read() -> None:
    for pattern in (r"(a+)+$", r"(?:\d+-?)+x", r"(?:[a-z]+ ?)*\d", r"(\w+ ?)+ refund$"):
        with pytest.raises(ValueError, match="takes too long on long text"):
            CompanyRegex(pattern).probe()


@pytest.mark.parametrize("pattern", ["[", "(", "a{2", "(?P<x>a)(?P<x>b)", "*a"])
def test_what_is_no_pattern_is_named(pattern: str) -> None:
    try:
        CompanyRegex(pattern)
    except ValueError as error:
        assert repr(pattern) in str(error)
    else:  # 'a{2' is read as written, by this library and the standard one
        assert pattern in {"a{2", "(?P<x>a)(?P<x>b)"}


def test_one_that_no_probe_finds_out_is_given_up_and_says_so() -> None:
    slow = CompanyRegex(SLOW)
    started = time.monotonic()
    with pytest.raises(PatternTooSlow, match=r"0\.2 s over 3002 characters"):
        slow.search("y" * 3000 + "?k")
    assert time.monotonic() - started < 5
    with pytest.raises(PatternTooSlow):
        list(slow.finditer("y" * 3000 + "?k"))


def test_whole_words_are_found_whole() -> None:
    code = CompanyRegex(r"MC-\d{3}", ignore_case=True, whole_words=True)
    assert code.search("my card mc-123, thanks")[0] == "mc-123"
    assert code.search("xmc-1234") is None
    assert code.fullmatch("MC-123")
