"""Readings of a text for scoring, never for display: what an evader hid is made visible.

Each view undoes one family of disguise. Views are only for classifiers; spans, prompts, logs and
people always see the text as sent. Everything here is linear in the text's length: no regular
expression backtracks. A text with nothing to undo has one view, itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from chatbot.safety.disguises import rejoined, repeats, undisguise, unstretched, whole_words
from chatbot.safety.encoded import decoded
from chatbot.safety.homoglyphs import drawn_letters, latin_homoglyphs

INVISIBLE_CATEGORIES = frozenset({"Cf", "Cc", "Cn", "Co", "Cs"})
KEPT_CONTROLS = frozenset("\t\n\r")
FILLERS = dict.fromkeys(
    # Blank letters that are drawn as nothing: Hangul fillers, Braille blank, Khmer vowels.
    (0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800, 0x17B4, 0x17B5, 0x180E)
)

WHITE = re.compile(r"\s+")
MARKUP = re.compile(
    r"(?<=[^\W_])[*_~`^|\\]{1,6}(?=[^\W_])|(?<!\w)[*_~`]{1,3}(?=\w)|(?<=\w)[*_~`]{1,3}"
)
LONG_WORD = re.compile(r"\w{100,}")
LONG_PIECE = 64  # characters; an insult that is cut in two stands whole in a repetition of it
TAGS = re.compile(r"</?[A-Za-z!][^<>]{0,200}>")


@lru_cache(maxsize=256)  # model, rules and screen read the same texts
def scoring_views(text: str) -> tuple[str, ...]:
    """The text as sent, then readings that differ from it and from each other.

    Order: raw; emoji named in words; cleaned (NFKC, invisible characters, combining marks,
    homoglyphs in words of mixed script); cleaned and undisguised (leetspeak, spaced and cut
    words, markup inside words, repeated letters cut to those of the word); the same with repeated
    letters cut to two; scraps of sentences joined; then what a code in the text stands for. Two
    views that an uncased tokenizer reads alike (case, accents, white space) count as equal.
    """
    views = [text]
    seen = {_key(text)}
    # Equal strings are dropped before the costly part: most texts have nothing to undo.
    for reading in dict.fromkeys((text, *_readings(text), *_of_codes(text))):
        view = name_emoji(reading)
        if view is text:
            continue
        key = _key(view)
        if key not in seen and key:
            seen.add(key)
            views.append(view)
    return tuple(views)


def _readings(text: str) -> tuple[str, str, str, str]:
    cleaned = clean(text)
    plain = undisguise(_without_marks_in_words(cleaned))
    words = unstretched(plain)
    return cleaned, words, repeats(plain, 2), rejoined(words)


def _of_codes(text: str) -> Iterator[str]:
    """A code may hold a disguised text in its turn: "&#105;" and base64 of leetspeak."""
    for code in decoded(text):
        yield code
        yield _readings(code)[1]


def _without_marks_in_words(text: str) -> str:
    """Words that marks, tags or emoji cut in two, whole again: "id**io**t", "st.up.id"."""
    if not text.isascii():
        text = _without_emoji_in_words(text)
    if "<" in text:
        text = TAGS.sub("", text)
    text = MARKUP.sub("", text)
    return whole_words(text)


def _without_emoji_in_words(text: str) -> str:
    out: list[str] = []
    for is_letter, group in groupby(text, str.isalpha):
        run = "".join(group)
        if not is_letter and out and len(out[-1]) and all(map(_drawn, run)):
            run = ""
        out.append(run)
    return "".join(out)


def _drawn(character: str) -> bool:
    return character > "\x7f" and unicodedata.category(character) in {"So", "Sk", "Mn", "Me", "Cf"}


def model_text(text: str) -> str:
    """What the toxicity model reads, in training and in serving alike.

    Emoji are [UNK] in the encoder's vocabulary, so they are named in words; so is a word of more
    than 100 characters, which is cut; lone surrogates cannot be tokenised and become U+FFFD.
    """
    return LONG_WORD.sub(_cut, name_emoji(text))


def _cut(match: re.Match[str]) -> str:
    word = match[0]
    return " ".join(word[i : i + LONG_PIECE] for i in range(0, len(word), LONG_PIECE))


def name_emoji(text: str) -> str:
    """Emoji replaced by their names (U+1F52A: "kitchen knife"), surrogates by U+FFFD."""
    if text.isascii():
        return text
    import emoji

    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return emoji.replace_emoji(text, replace=_emoji_name)


def _emoji_name(_: str, data: dict[str, str]) -> str:
    name = data["en"].strip(":").replace("_", " ").replace("-", " ")
    return f" {name} "


def clean(text: str) -> str:
    """NFKC, no invisible characters or combining marks, homoglyphs of mixed words in Latin."""
    if text.isascii() and text.isprintable():
        return text
    kept = [c for c in text if c in KEPT_CONTROLS or not _invisible(c)]
    # Decomposing first and dropping marks at once keeps 10,000 stacked marks linear.
    parts = unicodedata.normalize("NFKD", "".join(kept)).translate(FILLERS)
    bare = "".join(c for c in parts if not unicodedata.combining(c) and not _mark(c))
    bare = unicodedata.normalize("NFKC", bare).translate(drawn_letters())
    return bare if bare.isascii() else latin_homoglyphs(bare)


def _invisible(character: str) -> bool:
    if character < "\x7f":
        return character < " "
    return unicodedata.category(character) in INVISIBLE_CATEGORIES


def _mark(character: str) -> bool:
    return character > "\u02ff" and unicodedata.category(character) in {"Mn", "Me"}


def _key(text: str) -> str:
    """What an uncased tokenizer would still tell apart."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not _mark(c))
    return WHITE.sub(" ", text).strip().lower()
