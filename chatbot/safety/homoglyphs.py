"""Letters that only look like Latin ones: Unicode's confusables, and letters drawn as symbols."""

from __future__ import annotations

from functools import cache
from itertools import groupby

ASCII_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# Letters that NFKC leaves alone: squared and negative circled capitals, phonetic small capitals.
SQUARED = {0x1F130: 26, 0x1F150: 26, 0x1F170: 26}
SMALL_CAPITALS = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ"


@cache
def drawn_letters() -> dict[int, str]:
    letters = {
        start + offset: chr(ord("A") + offset)
        for start, count in SQUARED.items()
        for offset in range(count)
    }
    small = zip(SMALL_CAPITALS, "abcdefghijklmnoprtuvwyz", strict=True)
    return letters | {ord(character): letter for character, letter in small}


@cache
def _homoglyphs() -> dict[str, str]:
    """Letters beyond ASCII -> the ASCII letter they look like (Unicode confusables table)."""
    from confusable_homoglyphs import confusables

    table: dict[str, str] = {}
    for character, likes in confusables.confusables_data.items():
        if len(character) != 1 or character.isascii() or not character.isalpha():
            continue
        letters = [like["c"] for like in likes if like["c"] in ASCII_LETTERS]
        if letters:
            # The table says Cyrillic "I" looks like "l" and "I": a letter of its own case first.
            own_case = [x for x in letters if x.isupper() == character.isupper()]
            table[character] = (own_case or letters)[0]
    return table


def latin_homoglyphs(text: str) -> str:
    """Maps look-alikes in words that also hold ASCII letters, or that stand in Latin text."""
    table = _homoglyphs()
    ascii_letters = sum(c in ASCII_LETTERS for c in text)
    foreign = sum(c.isalpha() and not c.isascii() for c in text)
    latin_text = ascii_letters > foreign
    words = []
    for is_word, group in groupby(text, str.isalnum):
        word = "".join(group)
        if is_word and not word.isascii():
            mixed = any(c in ASCII_LETTERS for c in word)
            whole = latin_text and all(c.isascii() or c in table for c in word)
            if mixed or whole:
                word = "".join(table.get(c, c) for c in word)
        words.append(word)
    return "".join(words)
