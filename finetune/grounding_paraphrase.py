"""True sentences in other words: what an answer model makes of a passage when it is right."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from chatbot.safety.grounding_words import tidy
from finetune.grounding_corrupt import units_of
from finetune.grounding_rows import Text
from knowledge_base.plain import plain_text

# Exchanges that keep the meaning in any help article. Both directions are tried.
_EXCHANGES = (
    (r"you can(?!')", "it is possible to"), (r"you can(?!')", "customers can"),
    (r"you can(?!')", "you may"),
    (r"cannot", "can't"), (r"can not", "cannot"), (r"do not", "don't"), (r"does not", "doesn't"),
    (r"are not", "aren't"), (r"is not", "isn't"), (r"must", "have to"), (r"must", "need to"),
    (r"costs", "is priced at"), (r"costs", "will cost"), (r"within", "in no more than"),
    (r"up to", "at most"), (r"at least", "a minimum of"), (r"or more", "and above"),
    (r"delivery", "shipping"), (r"deliver", "ship"), (r"buy", "purchase"),
    (r"refund", "money back"),
    (r"email", "e-mail"), (r"phone", "telephone"), (r"choose", "select"), (r"need", "require"),
    (r"free", "free of charge"), (r"parcel", "package"), (r"before", "prior to"),
    (r"we offer", "there is"), (r"we", "our team"), (r"children", "kids"),
    (r"allowed", "permitted"),
    (r"available", "offered"), (r"takes", "will take"), (r"send", "post"), (r"help(?!@)", "assist"),
    (r"working days", "business days"), (r"immediately", "straight away"), (r"about", "roughly"),
    (r"return it", "send it back"), (r"change", "alter"), (r"start", "begin"),
    (r"ends", "finishes"),
    (r"because", "since"), (r"however", "but"), (r"for example", "for instance"),
    (r"your order", "the order"), (r"your account", "the account"), (r"please ", ""),
    (r"is needed", "is required"), (r"not offered", "not available"), (r"gets?", "receives"),
)  # fmt: skip
_NUMBERS = {
    "2": "two", "3": "three", "4": "four", "5": "five", "6": "six", "7": "seven", "8": "eight",
    "10": "ten", "12": "twelve", "14": "fourteen", "20": "twenty", "30": "thirty", "60": "sixty",
}  # fmt: skip
_TRAILING = re.compile(
    r",? (?:because|so that|so|since|such as|including|which|and then)\b[^.]*(?=\.$)"
)
_LEADING = re.compile(r"^(?:If|When|After|Before|For|On|In|With|Once|During) [^,.]{3,60}, ")
_SMALL_WORDS = (
    "you we the please if it they there this these a an your our to when for in on with after "
    "before all each every only most some items orders parcels delivery returns customers"
)
_SMALL = frozenset(_SMALL_WORDS.split())
_OPENERS = ("Yes, ", "Of course, ", "Sure, ", "Please note that ", "Sorry, ", "According to us, ")


def exchange(claim: str, rng: random.Random) -> str:
    """One or two words or phrases for others of the same meaning."""
    pairs = [*_EXCHANGES]
    rng.shuffle(pairs)
    done = 0
    for old, new in pairs:
        changed, count = re.subn(rf"\b{old}\b", new, claim, count=1, flags=re.IGNORECASE)
        if count and changed != claim:
            claim, done = changed, done + 1
        if done == 2:
            break
    return claim


def spelt_number(claim: str, rng: random.Random) -> str:
    """'60 days' as 'sixty days'."""
    return re.sub(
        r"(?<![\d.,£€$:/-])\b(\d{1,2})\b(?= (?:working )?(?:days?|weeks?|months?|years?|hours?))",
        lambda m: _NUMBERS.get(m[1], m[1]), claim,
    )  # fmt: skip


def shortened(claim: str, rng: random.Random) -> str:
    """Without its reason, its examples or its relative clause."""
    short = _TRAILING.sub("", claim)
    return short if len(short.split()) >= 4 else claim


def turned(claim: str, rng: random.Random) -> str:
    """'If you …, we …' as 'We … if you …'."""
    found = _LEADING.match(claim)
    if found is None:
        return claim
    rest = claim[found.end() :].rstrip(".")
    lead = found[0].strip(", ")
    return f"{rest[0].upper()}{rest[1:]} {lead[0].lower()}{lead[1:]}."


def opened(claim: str, rng: random.Random) -> str:
    """As an answer begins."""
    return rng.choice(_OPENERS) + _inside(claim)


def renamed(claim: str, rng: random.Random) -> str:
    """'We' and 'our' as the shop, and back."""
    if re.search(r"\b[Ww]e\b", claim):
        return re.sub(r"\b[Ww]e\b", rng.choice(["the shop", "the company"]), claim, count=1)
    return re.sub(r"^You\b", "Customers", claim) if re.match(r"You can|You must", claim) else claim


TRANSFORMS: tuple[Callable[[str, random.Random], str], ...] = (
    exchange, exchange, spelt_number, shortened, turned, opened, renamed,
)  # fmt: skip


def paraphrased(claim: str, rng: random.Random) -> str:
    """One to three of the transforms; the claim itself where none applies."""
    result = tidy(claim)
    for transform in rng.sample(TRANSFORMS, k=rng.randint(1, 3)):
        result = transform(result, rng)
    return result[0].upper() + result[1:]


def merged(text: Text, rng: random.Random) -> str | None:
    """Two sentences of one passage as one."""
    units = [u for u in units_of(text.passage.text) if len(u.split()) <= 16]
    if len(units) < 2:
        return None
    at = rng.randrange(len(units) - 1)
    first, second = units[at], units[at + 1]
    return f"{first.rstrip('.!')}{rng.choice([', and ', ' and ', '; '])}{_inside(second)}"


def rows_said(markdown: str) -> list[str]:
    """Cells of table rows as sentences: 'Standard for Germany: €4.95' and the like."""
    said = []
    for line in plain_text(markdown).split("\n"):
        found = re.match(r"^- ([^:;]{2,80}): (.+;.+)$", line)
        if found is None:
            continue
        label = found[1].strip()
        for cell in found[2].split("; "):
            value = re.search(r"(?:[£€$]?\d[^;]*|not offered|never free|yes|no)$", cell)
            if value is None or value.start() < 3 or len(cell.split()) > 8:
                continue
            column = cell[: value.start()].strip()
            said += [
                f"{column} for {label} is {value[0]}.",
                f"For {label}, {column.lower()} is {value[0]}.",
                f"{label} has {column.lower()} of {value[0]}.",
            ]
    return said


def _inside(sentence: str) -> str:
    """A sentence as it stands inside another: its first word small, unless it is a name."""
    first = sentence.split(maxsplit=1)[0].lower()
    return sentence[0].lower() + sentence[1:] if first in _SMALL else sentence
