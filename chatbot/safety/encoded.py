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
_COMMON_WORDS: Final = """is it on in so do go as he an saw of up about after again all also
    always and are because been before being but can code could does done every for forget from
    get give going hate have her here him his how idiot ignore instructions into its just kill
    know like me more my myself never nobody order our out people please policy print prompt
    refund reveal rules say secret she should show stupid system take tell than that the their
    them then there they thing think this to today us want was we what when where which who will
    with without would you your aber alle auch auf aus bei bin bitte das dem den der des die dich
    du ein eine einen er es habe ich ihr ist kann kein mich mir mit nach nicht noch oder sich sie
    sind um und uns von war wenn wer wie wir wird zu zum au avec ce cette dans elle est et être
    faire il ils je la le les mais mon ne nous ou par pas plus pour que qui sa se ses son suis sur
    tout tu un une vous al algo como con del el ella esta hay lo los mas mi mis muy no para pero
    por quiero si soy su te todo una usted va voy ya yo alla che chi ci come della di gli ho io ma
    mia mio nel non per sei sono sta ti tutto voglio aan als bij dat een en geen heb hebben het
    hij hoe ik jij kan maar mij mijn naar niet nog ook op van veel voor waar wat wil wij zijn not
    now tonight tomorrow someone anyone anything nothing something had has were too very why yes
    if or by at any only over these those make made need"""
_COMMON: Final = frozenset(
    word for word in _COMMON_WORDS.split() if word[::-1] not in _COMMON_WORDS.split()
)
"""Words that tell a text from its reverse, in six languages: none of them is another backwards."""
_MIN_COMMON: Final = 2
_SHORT: Final = 5  # words; one common word is then enough
_LETTERS: Final = re.compile(r"[^\W\d_]+")


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
    """The text backwards, word by word backwards or by thirteen, where that reads as a language
    and the text as sent does not."""
    text = text[:_MAX_CHARS]
    if not any(c.isalpha() for c in text):
        return []
    known = _common(text)
    least = 1 if text.count(" ") < _SHORT else _MIN_COMMON
    readings = (
        text[::-1],
        " ".join(word[::-1] for word in text.split()),
        codecs.encode(text, "rot13"),
    )
    return [
        reading
        for reading in readings
        if (count := _common(reading)) >= least and count > 2 * known
    ]


def _common(text: str) -> int:
    """How many different common words."""
    return len(_COMMON.intersection(_LETTERS.findall(text.lower())))


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
