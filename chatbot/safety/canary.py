"""A random word in the instructions that no honest answer can contain.

An answer that holds it quotes the prompt, whatever wording, language or code the quotation has
been put into otherwise. Source: Rebuff's canary tokens (Protect AI, 2023).
"""

from __future__ import annotations

import codecs
import secrets

from chatbot.safety.encoded import decoded
from chatbot.safety.entities import canonical
from chatbot.safety.views import clean


def new_canary() -> str:
    """Ten letters and digits that are no word, new for each process."""
    return f"zq{secrets.token_hex(4)}"


def holds_canary(text: str, canary: str) -> bool:
    """Whether the word stands in the text: spaced out, disguised, backwards, by thirteen or in a
    code as well."""
    mark = canonical(canary)
    if not mark:
        return False
    readings = (text, clean(text), *decoded(text))
    squeezed = [canonical(reading) for reading in readings]
    marks = (mark, mark[::-1], codecs.encode(mark, "rot13"))
    return any(m in reading for reading in squeezed for m in marks)
