"""Turns bytes into text without guessing in silence."""

from __future__ import annotations

import codecs

from knowledge_base.errors import BadArticle

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(data: bytes) -> tuple[str, str | None]:
    """The text, and a note when the encoding had to be assumed.

    UTF-8 (with or without mark), UTF-16 and UTF-32 with a mark, else Windows-1252 / Latin-1,
    which is reported. Raises BadArticle for bytes that are no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), None
            except UnicodeDecodeError as error:
                raise BadArticle(f"broken {encoding} at byte {error.start}") from None
    if b"\x00" in data:
        raise BadArticle("binary data, or UTF-16 without a byte order mark")
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        where = f"not UTF-8 (byte {error.start})"
    try:
        return data.decode("cp1252"), f"{where}; read as Windows-1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), f"{where}; read as Latin-1"
