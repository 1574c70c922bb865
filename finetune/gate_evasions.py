"""Named disguises of a text: what an evader does so that a classifier reads something else.

Each is a plain function of the text, the same on every run. Short words stay as they are where a
person would leave them too, so that the text can still be read.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z]{4,}")
_HOMOGLYPHS: Final = str.maketrans("aceiopxysABCEHKMOPTX", "асеіорхуѕАВСЕНКМОРТХ")
_GREEK: Final = str.maketrans("aoivuAEHIKMNOPTXYZB", "αοινυΑΕΗΙΚΜΝΟΡΤΧΥΖΒ")
_LEET: Final = str.maketrans("aeiosAEIOS", "4310543105")
_FULL: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_EMOJI: Final = "🔥😀⭐💥🌈"


def _inside(change: Callable[[str], str]) -> Callable[[str], str]:
    """Applies ``change`` to each word of four letters and more."""
    return lambda text: _WORD.sub(lambda match: change(match[0]), text)


def _dice(text: str) -> random.Random:
    return random.Random(text)


def _spacing(text: str) -> str:
    """Blanks between letters, two between words, as people write who do that."""
    return "  ".join(_inside(" ".join)(word) for word in text.split())


def _repeated(text: str) -> str:
    return _inside(lambda word: re.sub(r"[aeiou]", lambda m: m[0] * 4, word, count=2))(text)


def _bidi(text: str) -> str:
    return _inside(lambda w: f"\u202d{w[:2]}\u200e{w[2:]}\u202c")(text)


def _marks(text: str) -> str:
    return "".join(c + "\u0336\u0301" if c.isalpha() else c for c in text)


def _emoji(text: str) -> str:
    dice = _dice(text)

    def cut(word: str) -> str:
        at = len(word) // 2
        return word[:at] + dice.choice(_EMOJI) + word[at:]

    return _inside(cut)(text)


def _mixed(text: str) -> str:
    dice = _dice(text)
    tables = (_HOMOGLYPHS, _GREEK, _FULL)
    return "".join(c.translate(dice.choice(tables)) if dice.random() < 0.4 else c for c in text)


def _punctuation(text: str) -> str:
    return _inside(".".join)(text)


def _case(text: str) -> str:
    return "".join(c.upper() if i % 2 else c.lower() for i, c in enumerate(text))


def _sentences(text: str) -> str:
    words = text.split()
    parts = [" ".join(words[i : i + 3]).rstrip(".,!?") for i in range(0, len(words), 3)]
    return ". ".join(part[:1].upper() + part[1:] for part in parts) + "."


def _entities(text: str) -> str:
    return _inside(lambda word: "".join(f"&#{ord(c)};" for c in word))(text)


def _markdown(text: str) -> str:
    return _inside(lambda word: f"{word[:2]}**{word[2:-1]}**{word[-1]}")(text)


EVASIONS: Final[dict[str, Callable[[str], str]]] = {
    "zero_width": _inside("\u200b".join),
    "homoglyph": _inside(lambda word: word.translate(_HOMOGLYPHS)),
    "leet": _inside(lambda word: word.translate(_LEET)),
    "spacing": _spacing,
    "repeated_letters": _repeated,
    "bidi": _bidi,
    "combining_marks": _marks,
    "emoji_in_word": _emoji,
    "mixed_scripts": _mixed,
    "fullwidth": lambda text: text.translate(_FULL),
    "punctuation": _punctuation,
    "case": _case,
    "split_sentences": _sentences,
    "reversed": lambda text: text[::-1],
    "html_entities": _entities,
    "markdown": _markdown,
}
