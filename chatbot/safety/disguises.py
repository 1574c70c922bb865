"""Words that were written to be read by people only: leetspeak, spaced, cut and stretched words,
and a claim that is cut into scraps of sentences. Each function is linear in the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import Final

from chatbot.safety.homoglyphs import ASCII_LETTERS

LEET: Final = str.maketrans("01345789@$!|€+", "oieastbgasilet")
LEET_WORD: Final = re.compile(r"[A-Za-z0-9@$!|€+]+")
LONG_NUMBER: Final = re.compile(r"[0-9]{3}")
CODE_LIKE: Final = re.compile(
    r"[A-Za-z]{1,2}[0-9]|[A-Za-z]+[0-9]{2,}|[0-9]+[A-Za-z]{1,2}|[A-Z][0-9]{1,2}x[0-9]{1,3}"
)
DOMAIN: Final = re.compile(r"[.-]\w")  # goes on after "jo@shop"
LEET_TEXT: Final = 2
"""Disguised words that make a text one of leetspeak: then "pl3453" is a word, no order code."""
LEET_SHARE: Final = 0.25  # of its words
SPACED_SEPARATORS: Final = frozenset(" .-_*'`~·•|/,")
SPACED: Final = re.compile(  # four letters that stand alone: else there is nothing to join
    r"(?<![^\W_])[^\W\d_](?:[ .\-_*'`~·•|/,]{1,3}[^\W\d_](?![^\W_])){3}"
)
MIN_SPACED_LETTERS: Final = 4  # "a b c" and initials stay as they are
CUT_WORD: Final = re.compile(r"(?<![\w.-])[A-Za-z]{1,4}(?:[.\-'|][A-Za-z]{1,4}){2,12}(?![\w-])")
REPEATED: Final = re.compile(r"([^\W\d_])\1{2,}")
WORD: Final = re.compile(r"[^\W\d_]+")
MAX_STRETCHES: Final = 4  # 16 spellings of a word are tried; a word has rarely two
SCRAP_WORDS: Final = 4
"""A sentence end between two scraps of at most so many words does not part them."""
END: Final = re.compile(r"(?:(?<=[^\W_]{2})|(?<=\s[a-zI]))(?:\.{1,3}|[!?;…])\s{1,4}(?=[^\W\d_])")
_DOUBLE_WORDS: Final = """accept account across add address agree agreed all allow allowed arrest
    ass asshole bee been beer bitter bleed bleeding blood bloody book booking boot boots bottle
    bottom bullet bullshit call called calling cancelled cannot carry cheese choose class coffee
    committed cool correct cross daddy deep deeper different difficult dinner dollar door drugged
    effect egg excellent express fall fee feed feel feeling feelings fees feet fell filled food
    fool foot free freedom freezing full fully funny getting good goodbye goodness goodwill grass
    greedy green guarantee guaranteed happen happened happens happy hell hello hidden hill hitting
    hood hopeless hurry impossible keep keeping kill killed killer killing kills knee less lesson
    letter little look looked looking loose loss mass matter meet meeting message messed miss
    missed missing mommy mood moon need needed needs noon off offer offered office pass passed
    password pepper piss pissed pool poor possible press pretty process processed professional
    proof pull pussy queen really recommend roof room root scanned school screen see seeing seem
    seen sell selling session shall shipped shitty shoot shooting shopping sleep sleeping slipped
    small smell soon sorry speed stopped street stuff stuttering succeed success successfully
    suddenly suffer support sweet swimming teeth tell telling terrible terrified thirteen three
    tomorrow too took tool tree trigger trolley unless useless wallet week weekend weeks well
    wheel will willing winner winning witness wood worry worthless yell yelling yellow"""
DOUBLE: Final = frozenset(_DOUBLE_WORDS.split())
"""Words written with a double letter, which a stretched word may be; others get a single one."""


def undisguise(text: str) -> str:
    """Leetspeak and spaced letters read as words; numbers, prices and order codes stay."""
    text = _unleet(text)
    return _join_spaced(text) if SPACED.search(text) else text


def whole_words(text: str) -> str:
    """Words that dots or dashes cut in pieces, whole again: "st.up.id"."""
    return CUT_WORD.sub(_whole_word, text)


def unstretched(text: str) -> str:
    """Runs of three or more of one letter cut to one, or to two where a word is written so;
    digits are left alone."""
    return WORD.sub(_unstretch, text) if REPEATED.search(text) else text


def repeats(text: str, keep: int) -> str:
    """Runs of three or more of one letter cut to ``keep``."""
    return REPEATED.sub(lambda match: match[1] * keep, text)


def rejoined(text: str) -> str:
    """Scraps of sentences as one: "I want to end. My life." Longer sentences stay apart."""
    parts, ends = END.split(text), END.findall(text)
    if not ends:
        return text
    short = [len(part.split(maxsplit=SCRAP_WORDS)) <= SCRAP_WORDS for part in parts]
    return "".join(_glued(parts, ends, short))


def _glued(parts: list[str], ends: list[str], short: list[bool]) -> Iterator[str]:
    yield parts[0]
    for number, end in enumerate(ends):
        yield " " if short[number] and short[number + 1] else end
        yield parts[number + 1]


def _unleet(text: str) -> str:
    words = LEET_WORD.findall(text)
    if len(words) == 1 or text.isalpha():
        return LEET_WORD.sub(_read_leet, text)
    disguised = sum(word != _leet_word(word) for word in words if not word.isalpha())
    if disguised < LEET_TEXT or disguised < LEET_SHARE * len(words):
        return LEET_WORD.sub(_read_leet, text)
    return LEET_WORD.sub(_read_any_leet, text)


def _read_leet(match: re.Match[str]) -> str:
    return match[0] if _is_address(match) else _leet_word(match[0])


def _is_address(match: re.Match[str]) -> bool:
    """Whether the word is the middle of an e-mail address."""
    following = match.string[match.end() : match.end() + 2]
    return "@" in match[0][1:-1] and DOMAIN.match(following) is not None


def _read_any_leet(match: re.Match[str]) -> str:
    word = match[0]
    core = word.rstrip("!|+")
    if core.isdigit() or not any(c in ASCII_LETTERS for c in core) or _is_address(match):
        return word
    return core.translate(LEET) + word[len(core) :]


def _leet_word(word: str) -> str:
    if word.isalpha():
        return word
    core = word.rstrip("!|+")  # an exclamation mark at the end is one
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
    return core.translate(LEET) + word[len(core) :]


def _whole_word(match: re.Match[str]) -> str:
    word = "".join(c for c in match[0] if c in ASCII_LETTERS)
    return word if len(word) >= MIN_SPACED_LETTERS else match[0]


def _unstretch(match: re.Match[str]) -> str:
    runs = [run.span() for run in REPEATED.finditer(match[0])]
    single = repeats(match[0], 1)
    if not runs or len(runs) > MAX_STRETCHES:
        return single
    for keeps in product((1, 2), repeat=len(runs)):
        word, position = [], 0
        for (start, end), keep in zip(runs, keeps, strict=True):
            word += [match[0][position:start], match[0][start] * keep]
            position = end
        spelt = "".join((*word, match[0][position:]))
        if spelt.lower() in DOUBLE:
            return spelt
    return single


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
