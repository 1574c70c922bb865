"""Readings of a text for scoring, never for display: what an evader hid is made visible.

Each view undoes one family of disguise. Views are only for classifiers; spans, prompts, logs and
people always see the text as sent. Everything here is linear in the text's length: no regular
expression backtracks. A text with nothing to undo has one view, itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from chatbot.safety.encoded import decoded
from chatbot.safety.homoglyphs import ASCII_LETTERS, drawn_letters, latin_homoglyphs

INVISIBLE_CATEGORIES = frozenset({"Cf", "Cc", "Cn", "Co", "Cs"})
KEPT_CONTROLS = frozenset("\t\n\r")
FILLERS = dict.fromkeys(
    # Blank letters that are drawn as nothing: Hangul fillers, Braille blank, Khmer vowels.
    (0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800, 0x17B4, 0x17B5, 0x180E)
)

LEET = str.maketrans("01345789@$!|€+", "oieastbgasilet")
LEET_WORD = re.compile(r"[A-Za-z0-9@$!|€+]+")
LONG_NUMBER = re.compile(r"[0-9]{3}")
CODE_LIKE = re.compile(r"[A-Za-z]{1,2}[0-9]|[A-Za-z]+[0-9]{2,}|[0-9]+[A-Za-z]{1,2}")
SPACED_SEPARATORS = frozenset(" .-_*'`~·•|/,")
MIN_SPACED_LETTERS = 4  # "a b c" and initials stay as they are
REPEATED = re.compile(r"([^\W\d_])\1{2,}")
WHITE = re.compile(r"\s+")
MARKUP = re.compile(
    r"(?<=[^\W_])[*_~`^|\\]{1,6}(?=[^\W_])|(?<!\w)[*_~`]{1,3}(?=\w)|(?<=\w)[*_~`]{1,3}"
)
CUT_WORD = re.compile(r"(?<![\w.-])[A-Za-z]{1,4}(?:[.\-'|][A-Za-z]{1,4}){2,12}(?![\w-])")
TAGS = re.compile(r"</?[A-Za-z!][^<>]{0,200}>")


def scoring_views(text: str) -> tuple[str, ...]:
    """The text as sent, then readings that differ from it and from each other.

    Order: raw; emoji named in words; cleaned (NFKC, invisible characters, combining marks,
    homoglyphs in words of mixed script); cleaned and undisguised (leetspeak, spaced and cut
    words, markup inside words, repeated letters cut to one); the same with repeated letters cut
    to two; then what a code in the text stands for. Two views that an uncased tokenizer reads
    alike (case, accents, white space) count as equal.
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


def _readings(text: str) -> tuple[str, str, str]:
    cleaned = clean(text)
    plain = undisguise(_without_marks_in_words(cleaned))
    return cleaned, _repeats(plain, 1), _repeats(plain, 2)


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
    return CUT_WORD.sub(_whole_word, text)


def _whole_word(match: re.Match[str]) -> str:
    word = "".join(c for c in match[0] if c in ASCII_LETTERS)
    return word if len(word) >= MIN_SPACED_LETTERS else match[0]


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

    Emoji are [UNK] in the encoder's vocabulary, so they are named in words; lone surrogates
    cannot be tokenised and become U+FFFD.
    """
    return name_emoji(text)


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


def undisguise(text: str) -> str:
    """Leetspeak and spaced letters read as words; numbers, prices and order codes stay."""
    return _join_spaced(LEET_WORD.sub(_read_leet, text))


def _read_leet(match: re.Match[str]) -> str:
    word = match.group()
    if word.isalpha():
        return word
    if "@" in word[2:-2] and match.string[match.end() : match.end() + 1] in {".", "-"}:
        return word  # an e-mail address
    core = word.rstrip("!|+")  # an exclamation mark at the end is one
    tail = word[len(core) :]
    letters = sum(c in ASCII_LETTERS for c in core)
    disguised = len(core) - letters
    if (
        letters < 2
        or not disguised
        or disguised > letters + 1
        or (LONG_NUMBER.search(core) and core.strip("0123456789").isalpha())
        or not set(core).isdisjoint("26")
        or (core.isupper() and (disguised > 2 or not set(core).isdisjoint("89")))  # an order code
        or CODE_LIKE.fullmatch(core)
    ):
        return word
    return core.translate(LEET) + tail


def _join_spaced(text: str) -> str:
    """Joins runs of single letters ("i d i o t", "i.d.i.o.t"); two blanks part two words."""
    out: list[str] = []
    run: list[str] = []  # letter, separator, letter, separator, ...
    position, size = 0, len(text)

    def flush() -> None:
        letters = run[::2]
        if len(letters) >= MIN_SPACED_LETTERS:
            separators = [*run[1::2], ""][: len(letters)]
            joined = "".join(
                letter + (" " if len(separator) > 1 and index < len(letters) - 1 else "")
                for index, (letter, separator) in enumerate(zip(letters, separators, strict=False))
            )
            out.append(joined + (run[-1] if len(run) % 2 == 0 else ""))
        else:
            out.extend(run)
        run.clear()

    while position < size:
        character = text[position]
        alone = (
            character.isalpha()
            and (position == 0 or not text[position - 1].isalnum())
            and (position + 1 == size or not text[position + 1].isalnum())
        )
        if not alone:
            flush()
            out.append(character)
            position += 1
            continue
        run.append(character)
        position += 1
        start = position
        while position < size and position - start < 3 and text[position] in SPACED_SEPARATORS:
            position += 1
        if position > start:
            run.append(text[start:position])
        else:
            flush()
    flush()
    return "".join(out)


def _repeats(text: str, keep: int) -> str:
    """Runs of three or more of one letter cut to ``keep``; digits are left alone."""
    return REPEATED.sub(lambda match: match.group(1) * keep, text)


def _key(text: str) -> str:
    """What an uncased tokenizer would still tell apart."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not _mark(c))
    return WHITE.sub(" ", text).strip().lower()
