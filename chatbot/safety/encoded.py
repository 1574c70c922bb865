"""What a text hides in a code: base64, hex, character codes, Morse, invisible tags, backwards.

A reading is kept only where it is text, so that order numbers, keys and pictures stay what they
are. Every pattern is bounded; at most eight readings of a text are returned.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

_BASE64: Final = re.compile(
    r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{16,4000}={0,2}(?![A-Za-z0-9+/=_-])"
)
_BASE32: Final = re.compile(r"(?<![A-Z2-7])[A-Z2-7]{16,2000}={0,6}(?![A-Z2-7=])")
_HEX: Final = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[ :]?){8,2000}(?![0-9A-Fa-f])")
_ESCAPED: Final = re.compile(r"(?:\\x[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}){4,500}")
_DECIMALS: Final = re.compile(r"(?<!\d)(?:1?\d\d[ ,]{1,2}){5,400}1?\d\d(?!\d)")
_BINARY: Final = re.compile(r"(?<![01])(?:[01]{8} ?){4,400}(?![01])")
_MORSE: Final = re.compile(r"(?<![\w.-])(?:[.-]{1,5}(?: {1,3}| ?/ ?)){5,400}[.-]{1,5}(?![\w.-])")
_MORSE_CODES = """.- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... -
    ..- ...- .-- -..- -.-- --.."""
_MORSE_LETTERS: Final = dict(zip(_MORSE_CODES.split(), "abcdefghijklmnopqrstuvwxyz", strict=True))
_TAGS: Final = re.compile("[\U000e0020-\U000e007e]{4,2000}")  # invisible twins of ASCII
_MOST: Final = 8
_MAX_CHARS: Final = 2000
_WORD: Final = re.compile(r"[a-z]{2,}", re.I)
_COMMON_WORDS = """a all and are as at be bot but can code do for forget free from get give go hate
    have i idiot ignore in instructions is it kill like me my no not now of on or people please
    policy print prompt refund reveal rules say secret show stupid system tell that the their they
    this to want we what will with you your"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())
_MIN_COMMON: Final = 3
_LETTERS: Final = re.compile(r"[a-z']+")


@lru_cache(maxsize=256)  # the screen's heads and its rules both ask
def decoded(text: str) -> tuple[str, ...]:
    """Readable readings of the codes in a text; none for most texts, at little cost."""
    found: list[str] = []
    for match in _BASE64.finditer(text):
        raw = match[0].rstrip("=").replace("-", "+").replace("_", "/")
        if len(raw) % 4 != 1:
            _keep(found, _bytes(base64.b64decode, raw + "=" * (-len(raw) % 4)))
    for match in _BASE32.finditer(text):
        raw = match[0].rstrip("=")
        _keep(found, _bytes(base64.b32decode, raw + "=" * (-len(raw) % 8)))
    for match in _HEX.finditer(text):
        digits = re.sub(r"[ :]", "", match[0])
        _keep(found, bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for match in _ESCAPED.finditer(text):
        _keep(found, bytes(int(code[-2:], 16) for code in re.findall(r"\\[xu]\w{2,4}", match[0])))
    for match in _DECIMALS.finditer(text):
        numbers = [int(n) for n in re.findall(r"\d+", match[0])]
        _keep(found, bytes(n for n in numbers if n < 128))
    for match in _BINARY.finditer(text):
        bits = match[0].replace(" ", "")
        _keep(found, bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)))
    for match in _MORSE.finditer(text):
        words = re.split(r" ?/ ?| {3}", match[0])
        read = ("".join(_MORSE_LETTERS.get(code, "?") for code in word.split()) for word in words)
        _keep(found, " ".join(read).encode())
    for match in _TAGS.finditer(text):
        _keep(found, bytes(ord(c) - 0xE0000 for c in match[0]))
    if text.count("%") >= 4 and (plain := unquote(text)) != text:
        found.append(plain[:_MAX_CHARS])
    if "&" in text and (plain := html.unescape(text)) != text:
        found.append(plain[:_MAX_CHARS])
    found += turned(text)
    return tuple(dict.fromkeys(found))[:_MOST]


def turned(text: str) -> list[str]:
    """The text backwards, word by word backwards or by thirteen, where that reads as English
    and the text as sent does not."""
    text = text[:_MAX_CHARS]
    if not any(c.isalpha() for c in text):
        return []
    known = _common(text)
    readings = (
        text[::-1],
        " ".join(word[::-1] for word in text.split()),
        codecs.encode(text, "rot13"),
    )
    return [
        reading
        for reading in readings
        if (count := _common(reading)) >= _MIN_COMMON and count > 2 * known
    ]


def _common(text: str) -> int:
    return sum(word in _COMMON for word in _LETTERS.findall(text.lower()))


def _bytes(decode: Callable[[str], bytes], raw: str) -> bytes:
    try:
        return decode(raw)
    except (binascii.Error, ValueError):
        return b""


def _keep(found: list[str], raw: bytes) -> None:
    """Only text: printable, with at least one word."""
    if len(raw) < 6:
        return
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return
    if text.isprintable() and _WORD.search(text):
        found.append(text[:_MAX_CHARS])
