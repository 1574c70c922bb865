"""Which language a customer writes in, careful with what is too short to say.

Lingua's low-accuracy mode (trigrams, about 20 MB instead of 290) is sure of itself on three
words, also where it is wrong ("refund plz" is Danish to it). So a language other than English
is only believed with evidence from words: function words of that language and none of
English. Scripts that Latin letters are not mixed with need no such evidence.
Source: https://github.com/pemistahl/lingua-py
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from chatbot.types import Language

if TYPE_CHECKING:
    from lingua import LanguageDetector

LATIN = (
    "ENGLISH",
    "GERMAN",
    "FRENCH",
    "SPANISH",
    "ITALIAN",
    "PORTUGUESE",
    "DUTCH",
    "POLISH",
    "SWEDISH",
    "DANISH",
)
OTHER_SCRIPTS = (
    "ARABIC",
    "CHINESE",
    "GREEK",
    "HEBREW",
    "HINDI",
    "JAPANESE",
    "KOREAN",
    "RUSSIAN",
    "THAI",
    "UKRAINIAN",
)
MIN_WORDS = 3  # "hola" or "danke" alone may be a name, a brand or politeness
SURE = 0.75  # with the word lists: no false alarm on 43,000 English support messages
MAX_CHARS = 1000  # the first sentences decide; a pasted 1 MB text costs no more than these

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CODE = re.compile(r"\S*(?:\d|@|://|www\.)\S*")  # order numbers, addresses, links
_FUNCTION_WORDS = {
    "en": "the is are was were what when where which who how why my your our i i'm it it's "
    "this that these have has had do does did don't can't can could would will should not "
    "and or but if with for from of to you we they please thanks thank order refund return "
    "delivery there be been get got need want still any some about yes ok okay hi hello",
    "de": "ich du wir sie ist sind nicht und oder mein meine meinen meiner das der den dem "
    "ein eine einen wo wann wie warum was habe hat haben kann können möchte bitte für mit auf "
    "von zu noch auch wird wurde mir mich aber seit zurück",
    "fr": "je tu nous vous il elle est sont pas et ou mon ma mes le la les un une des du où "
    "quand comment pourquoi que qui j'ai ai avez pouvez peux veux voudrais pour avec dans sur "
    "ce cette n'est n'ai c'est bonjour toujours reçu",
    "es": "yo usted es está son no y mi mis el la los las un una unos dónde donde cuándo cuando "
    "cómo como por qué que he ha puedo puede quiero para con en del se mi todavía hola gracias",
    "it": "io è sono non e o mio mia il lo la gli le un una dove dov'è quando come perché che ho "
    "ha posso può vorrei per con nel del della mi si ancora ciao grazie",
    "pt": "eu é está são não e ou meu minha o a os as um uma onde quando como por que tenho "
    "posso quero para com em do da se ainda olá obrigado",
    "nl": "ik jij wij is zijn niet en of mijn het de een waar wanneer hoe waarom wat heb heeft "
    "kan kunnen wil graag voor met op van naar nog ook dit dat mij maar",
    "pl": "ja jest są nie i lub mój moja moje gdzie kiedy jak dlaczego co mam ma mogę może chcę "
    "proszę dla z na do w się jeszcze to czy",
    "sv": "jag du vi är inte och eller min mitt mina det den en ett var när hur varför vad har "
    "kan vill för med på av till ännu också",
    "da": "jeg du vi er ikke og eller min mit mine det den en et hvor hvornår hvordan hvorfor "
    "hvad har kan vil for med på af til endnu også",
}
_WORDS = {code: frozenset(words.split()) for code, words in _FUNCTION_WORDS.items()}


@cache
def _detector() -> LanguageDetector:
    from lingua import Language as Known
    from lingua import LanguageDetectorBuilder

    known = [getattr(Known, name) for name in (*LATIN, *OTHER_SCRIPTS)]
    builder = LanguageDetectorBuilder.from_languages(*known)
    return builder.with_low_accuracy_mode().build()


def detect_language(text: str) -> Language:
    """The language of ``text``; code None when it is too short, mixed or not words at all.

    Thread-safe. Knows the languages of ``LATIN`` and ``OTHER_SCRIPTS``.
    """
    plain = _CODE.sub(" ", text[:MAX_CHARS])
    words = [w.lower().replace("’", "'") for w in _WORD.findall(plain)]
    letters = "".join(words)
    if not letters:
        return Language(None, 0.0)
    latin = sum(ch < "\u0250" for ch in letters) / len(letters)
    if latin < 0.5:
        return _by_detector(plain, set(OTHER_SCRIPTS)) if len(letters) >= 3 else Language(None, 0)
    hits = {code: sum(w in known for w in words) for code, known in _WORDS.items()}
    others = max((code for code in hits if code != "en"), key=lambda c: hits[c])
    if hits["en"] > hits[others] or (hits["en"] and hits["en"] >= len(words) / 3):
        return Language("en", min(1.0, 0.5 + hits["en"] / len(words)))
    if len(words) < MIN_WORDS or hits[others] < 1:
        return Language(None, 0.0)
    guess = _by_detector(plain, set(LATIN))
    if guess.code is None or guess.code == "en":
        return guess
    evidence = hits.get(guess.code, 0)
    if hits[others] >= 2 > evidence and not hits["en"]:
        return Language(others, SURE)
    if evidence >= 1 and evidence > hits["en"] and evidence >= len(words) / 5:
        return guess
    return Language(None, 0.0)


def _by_detector(text: str, allowed: set[str]) -> Language:
    values = _detector().compute_language_confidence_values(text)
    best = next((v for v in values if v.language.name in allowed), None)
    if best is None or best.value < SURE:
        return Language(None, best.value if best else 0.0)
    return Language(best.language.iso_code_639_1.name.lower(), best.value)
