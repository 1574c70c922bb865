"""Passwords, keys, tokens and codes, by their shape or by what the text calls them.

Every quantifier is bounded, so that a long run of one character costs a constant per place.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chatbot.safety.pii_emails import is_email
from chatbot.types import Entity

_HIDES: Final = (
    r"password|passwort|pwd|wachtwoord|kennwort|contraseña|mot de passe|mdp|senha|palavra-passe|lösenord|hasło|"
    r"clave|adgangskode|passord|heslo|salasana|jelszó|parola d['’]ordine"
)
_IS: Final = r"(?:is|was|used to be|reads?|says|said|shows?|ist|war|lautete?|est|était|c['’]est|es|era|è|é|är|var|er|to|jest|brzmi|je|on|:|=)"
_OF_A_SITE: Final = (
    r"(?:\s(?:for|on|at|with|here|there|für|pour|para|voor|bei)(?:\s[^\W\d_]{1,14}){0,3})?"
)
_ONE_TIME: Final = r"(\d{4,8}|\d{3}[ -]\d{3})(?!\w)"
_SECRETS: Final = (
    re.compile(
        r"(?<!\w)(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{16,200}"
        r"|(?<!\w)gh[pousr]_[A-Za-z0-9]{20,100}|(?<!\w)github_pat_\w{20,100}"
        r"|(?<!\w)(?:AKIA|ASIA)[0-9A-Z]{16}(?!\w)|(?<!\w)xox[abeprs]-[A-Za-z0-9-]{10,200}"
        r"|(?<!\w)AIza[\w-]{35}|(?<!\w)glpat-[\w-]{18,60}|(?<!\w)hf_[A-Za-z0-9]{20,60}"
        r"|(?<!\w)whsec_[A-Za-z0-9+/=_-]{12,100}"
        r"|(?<!\w)npm_[A-Za-z0-9]{30,50}|(?<!\w)SG\.[\w-]{16,40}\.[\w-]{16,60}"
        r"|(?<![\w/.-])[a-z]{2,10}_(?=[\w-]{0,79}\d)(?=[\w-]{0,79}[a-z])(?=[\w-]{0,79}[A-Z])(?:[a-z]{2,10}_)?[A-Za-z0-9-]{12,80}(?!\w|[.]\w)"
        r"|(?<![\w/.-])(?:tok|token|key|secret|auth|sess)-(?=[\w-]{0,79}\d)[\w-]{12,80}(?!\w)"
        r"|(?<!\w)dg_(?:widget|agent|reviewer|admin)_[\w-]{20,60}"
        r"|(?<!\w)eyJ[\w-]{8,1500}\.[\w-]{8,2500}\.[\w-]{8,600}"
        r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]{0,6000}(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
    ),
    re.compile(
        r"\b(?:bearer|api[ _-]?key|access[ _-]?token|client[ _-]?secret|auth[ _-]?token)\b"
        r"\W{0,4}(?:is\s|=\s?|:\s?)?[\"']?([A-Za-z0-9_./+=-]{12,300})",
        re.I,
    ),
    re.compile(  # "our token is 9f8b…": nothing that one types has so many letters and digits
        r"\b(?:tokens?|secret|(?:private|signing|webhook|licen[cs]e|test|live|shop|store) key|schlüssel)\b"
        rf"(?:\s?(?:{_IS}|–|-|,)){{0,2}}\s?[\"'“‘`]?"
        r"((?=[\w./+=-]{0,300}\d)(?=[\w./+=-]{0,300}[^\W\d_])[\w/+=-][\w./+=-]{14,299}[\w/+=-])",
        re.I,
    ),
    re.compile(
        r"(?<![\w-])(?=[0-9a-f]{0,63}\d)(?=[0-9a-f]{0,63}[a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![\w-])"
    ),
    re.compile(
        rf"\b(?:{_HIDES}|passphrase|passcode|pass word)\b{_OF_A_SITE}"
        rf"(?:\s?{_IS}){{1,2}}\s(?:still |now |always )?[\"'“‘]?"
        r"((?=[^\s\"'”’]{0,63}(?:\d|[^\w\s.,!?\"'”’]))[^\s\"'”’]{4,64}?)(?=[.,?]?(?:[\s\"'”’]|$))",
        re.I,
    ),
    re.compile(
        rf"\b(?:{_HIDES}|pw|pass)(?:\s{{0,2}}[:=]|\s[–—-]\s)\s{{0,2}}[\"'“‘]?"
        r"([^\s\"'”’]{4,64}?)(?=[.,;]?(?:[\s\"'”’]|$))",
        re.I,
    ),
    re.compile(rf"\b(?:{_HIDES})\s[\"“‘]([^\s\"”’]{{4,64}})[\"”’]", re.I),
    re.compile(  # "user anna, pass 1a2b3c"
        r"\b(?:user(?: ?name)?|login)\b[^\n]{1,40}?[/,;|]\s?pass\s((?=\S{0,63}\d)\S{4,64}?)(?=[.,;]?(?:\s|$))",
        re.I,
    ),
    re.compile(  # "login: anna / 1a2b3c!"
        r"\b(?:user(?: ?name)?|login|credentials|zugang|identifiant)\s?:\s?\S{2,64}\s?[/|;]\s((?=\S{0,63}\d)(?=\S{0,63}[^\W\d_])\S{6,64}?)(?=[.,;?]?(?:\s|$))",
        re.I,
    ),
    re.compile(  # a token that is plainly one, a few words after the word for it
        rf"\b(?:{_HIDES})(?:\s[^\W\d_]{{1,12}}){{0,4}}[,:]?\s[\"'“‘]?"
        r"((?=\S{0,63}\d)(?=\S{0,63}[^\W\d_])(?=\w{0,62}[^\w\s.,!?\"'”’)])[^\s,\"'”’]{6,64}?)(?=[.,?]?(?:[\s\"'”’]|$))",
        re.I,
    ),
    re.compile(  # letters, digits and a sign in one word, further on: "… my password. It was x!y_41."
        rf"\b(?:{_HIDES}|passphrase|passcode)\b[^\n]{{1,80}}?(?:(?i:\b{_IS})|[,:–-])\s[\"'“‘]?"
        r"((?=[^\s,\"'”’]{0,63}\d)(?=(?:[^\s,\"'”’]{0,40}?[^\W\d_]){5})(?=\w{0,62}[^\w\s.,?\"'”’)/@])(?!https?:)[^\s,\"'”’@/]{8,64}?)(?=[.,?]?(?:[\s\"'”’]|$))",
        re.I,
    ),
    re.compile(  # "I keep typing x-42-y as my password"
        r"(?<![^\s\"'“‘])((?=[^\s\"'”’]{0,63}(?:\d|[^\w\s.,!?\"'”’/-]))[^\s\"'”’]{5,64})[\"'”’]?\s(?:as|als|comme|como|come|jako|som) "
        rf"(?:(?:my|the|a|our|new|old|mein|neues|mon|mi|la|mijn|mitt|hasła|il|mia) ){{0,2}}(?:{_HIDES}|passcode|passphrase|pw)\b",
        re.I,
    ),
    re.compile(  # "pw x42yz", where both letters and digits tell that it is one
        r"\b(?:pw|pwd|psw|mdp|pass)\s[\"'“‘]?((?=\S{0,63}\d)(?=\S{0,63}[^\W\d_])[^\s,\"'”’]{6,64}?)(?=[.,;?]?(?:[\s\"'”’]|$))",
        re.I,
    ),
    re.compile(
        r"\b(?:cvv2?|cvc2?|cv2|security code|card code|cryptogramme|code de sécurité|prüfziffer|kartenprüfnummer|"
        r"(?:three|3|last) digits (?:on|at|from) (?:the |its )?(?:back|signature strip))\b[^\d\n]{0,24}(\d{3,4})(?!\d)",
        re.I,
    ),
    re.compile(
        r"\b(?:pin(?: ?(?:code|number))?|otp|tan|(?:sign-?in|log-?in|one-?time|verification|"
        r"security|2fa|sms|access) (?:code|pin|password|passcode|tan))\b"
        r"(?: i got| you sent| from the (?:sms|text|email)| (?:on|of|for|under) (?:the|my|that|this) (?:gift )?(?:card|voucher|back))?"
        rf"\s?{_IS}?\s?{_ONE_TIME}",
        re.I,
    ),
    re.compile(  # "my pin for click and collect is 7741"
        r"\bpin\b[^\d\n.!?]{1,40}?\s(?:is|was|era|è|ist|war|est|était|es|jest|to)\s(\d{4,8})(?![\w-])",
        re.I,
    ),
    re.compile(  # "the code from the text, its 662013", "the code on my phone says 3391"
        r"\bcode\b[^.!?\n\d]{1,40}?\b(?:text|sms|phone|message|app|mail|email)\b(?:,? (?:it'?s|it is|says|said|reads)) (\d{4,8}|\d{3}[ -]\d{3})(?!\w)",
        re.I,
    ),
    re.compile(  # letters and then digits, where a password is plainly told: "changed it to Mudlark77"
        rf"\b(?:{_HIDES}|passphrase)\b[^\n.!?]{{1,80}}?(?:,| to| to be| is| was|:) [\"'“‘]?([^\W\d_]{{4,30}}\d{{2,6}}[!?#*]?)(?=[,.?!\"'”’]|\s|$)",
        re.I,
    ),
    re.compile(  # "the code in the text was 604182", "le code reçu par SMS est 604182"
        r"\b(?:code|kod(?:en)?|código|codice|kód)\b[^.!?\n\d]{0,24}?\b(?:text|texto|sms|message|authenticator|e-?mail|mail)\w{0,3}"
        rf"(?:-?a)?(?: message| app)?(?: I got| you sent(?: me)?)?\s?{_IS}?\s?{_ONE_TIME}",
        re.I,
    ),
    re.compile(  # "Bestätigungscode 604182", "bevestigingscode is 604182"
        r"\b(?:sms|einmal|best[äa]tigungs|sicherheits|verifizierungs|anmelde|bevestigings|verificatie|engångs|engangs|jednorazow\w{0,3}[ ])"
        rf"-?(?:code|koden?|passwort|kod)\b(?: (?:war|ist|is|to|är|er|:))?\s?(?::\s?)?{_ONE_TIME}",
        re.I,
    ),
    re.compile(r"(?<![\w.-])(?<!\d[ ])(\d{4,8})(?= from (?:the|that) (?:text|sms)\b)", re.I),
    re.compile(
        r"\bcode (\d{4,8}|\d{3}[ -]\d{3})(?=[ ,][^.\n]{0,48}\b(?:text|sms|one-?time|log-?in|sign-?in|verif\w{0,8})\b)",
        re.I,
    ),
)


def find_secrets(text: str) -> Iterator[Entity]:
    """Without a ``value``: nobody needs to compare a secret."""
    for pattern in _SECRETS:
        for match in pattern.finditer(text):
            group = 1 if pattern.groups else 0
            if not is_email(match[group]):  # "a new password to me@…" is an address
                yield Entity("secret", *match.span(group), match[group], None)
