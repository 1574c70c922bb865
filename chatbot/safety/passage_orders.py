"""Sentences of an article that speak to whoever answers from it, not to a customer.

No help article tells its reader how to quote it, what the one right answer to it is, or what a bot
has to do. Such a sentence is an order to the model however politely it is put; it alone is taken
out of the passage, since now and then it is an honest remark about the chat.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from typing import Final

_TEXT: Final = (
    r"(?:article|page|passage|text|document|section|paragraph|entry|excerpt|snippet|content)s?"
)
_BOT: Final = (
    r"(?:ais?|ai (?:agents?|assistants?|systems?|models?)|llms?|(?:large )?language models?|chat ?bots?|bots?"
    r"|virtual (?:agents?|assistants?)|support ai|automated (?:agents?|assistants?|repl(?:y|ies)))"
)
_ANSWER: Final = r"(?:answer|quot|cit|summari[sz]|repl(?:y|ies)|respond|respons|paraphras|reproduc|translat|rephras)\w*"
_WRITE: Final = r"(?:compil|draft|generat|writ|produc|creat|formulat|compos)\w*"
_CALLED: Final = (
    r"(?:(?:attention|note|notice|dear|hey|hello|listen|important|warning|message|translation|instructions?|info"
    r"|reminder|update|hint|order|command|comment|remark)\b[\s,:]{0,6}(?:to|for)?\s{0,4})?"
)
_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern, re.I | re.M))
    for name, pattern in (
        (
            "answering_from_this",
            rf"\b{_ANSWER}\b(?! (?:all |the |these |our |those |any |every )*questions?)[^.!?\n]{{0,40}}\b(?:this|these|that) (?:\w+ )?{_TEXT}\b"
            rf"|\b(?:from|out of|based on|using|of|to) (?:this|these|that|the) (?:\w+ )?{_TEXT}\b[^.!?\n]{{0,30}}\b(?:must|should|shall|has to|have to|are only valid|is only valid|is to|are to)\b",
        ),
        (
            "writing_from_this",
            rf"\b{_WRITE}\b[^.!?\n]{{0,20}}\b(?:an? |the |your |any )?(?:answer|reply|response|summary|text|output)\b[^.!?\n]{{0,24}}\b(?:this|that|these) (?:\w+ )?{_TEXT}\b"
            r"|\b(?:if|when|while|as|whenever) you(?:'re| are)? (?:generat|autocomplet|complet|summari[sz])\w*\b[^.!?\n]{0,20}\b(?:text|repl|answer|response|summar|document|output)",
        ),
        (
            "duty_of_a_bot",
            rf"\b{_BOT}\b[^.!?\n]{{0,40}}\b(?:must|should|shall|(?:has|have|is|are) (?:hereby |now |always )?(?:to|told to|obliged to|required to|instructed to|ordered to|asked to|expected to))\b"
            rf"|\b(?:make|have|let|tell|force|get) (?:the |your |our |any )?{_BOT} (?:to )?[a-z]+",
        ),
        (
            "machine_reader",
            rf"\b(?:reader|whoever reads this|who(?:ever)? is reading)\b[^.!?\n]{{0,20}}\bis (?:an? |the )?(?:\w+ )?{_BOT}\b|\b(?:machine|automated|ai|llm|bot|robot) readers?\b"
            r"|\b(?:any|every|all|the) (?:software|programs?|systems?|models?|machines?|agents?|tools?|algorithms?|engines?)(?: that| which| who)? (?:reads?|reading|process(?:es|ing)|pars(?:es|ing)|summari[sz]\w+|quot\w+|index\w+|answer\w*)\b",
        ),
        ("bot_called", rf"(?:^|[.!?:\n(\[<*-])\s{{0,4}}{_CALLED}(?:the |all |any |every |you )?{_BOT}\s{{0,4}}(?:only)?\s{{0,4}}[,:;!]"),
        (
            "only_answer",
            r"\b(?:only|one|single|sole) (?:correct|right|valid|acceptable|permitted|allowed|possible|true) (?:answer|reply|response|output)\b|\b(?:answer|reply|respond)(?:ing)? system\b",
        ),
        (
            "not_for_customers",
            r"\b(?:hidden|secret|invisible|concealed) (?:note|instruction|message|comment|remark|order|command)s?\b\s{0,4}[:(]"
            r"|\b(?:do not|don't|never) (?:show|mention|reveal|display|repeat|quote|print) this (?:\w+ )?(?:line|sentence|note|paragraph|passage|instruction|remark|comment)\b",
        ),
        ("new_task", r"\byour (?:new|real|true|actual|only|next) (?:task|job|role|goal|objective|instruction|mission)s? (?:is|are)\b"),
        (
            "once_read",
            rf"\b(?:once|after|when|now that|having|if) (?:you(?:'ve| have)? )?(?:read|reading|processed|seen) this (?:\w+ )?(?:{_TEXT}|line|sentence|note)\b[^.!?\n]{{0,12}}\byou (?:will|must|should|shall|are)\b",
        ),
    )
)  # fmt: skip
_TELLING: Final = re.compile(
    r"\b(?:(?:this|the|that) (?:article|page|passage|text|document|section|paragraph|line|sentence|note)|quot\w+"
    r"|answer(?:s|ed|ing)?|repl(?:y|ies|ying)|respon(?:d|se|ses|ding)|reader|hidden|test mode|software|program|machine"
    r"|override|task|summar\w+|customers?|message|say|tell(?! us\b))\b",
    re.I,
)
_LIST_ITEM: Final = re.compile(r"\s*(?:\d{1,2}[.)]|[-*•])\s")


def order_to_a_reader(sentence: str) -> tuple[str, str] | None:
    """Rule and words of the first that fires."""
    for rule, pattern in _RULES:
        match = pattern.search(sentence)
        if match:
            return f"passage.{rule}", match[0].strip()[:120]
    return None


def may_be_an_order(sentence: str) -> bool:
    """Whether the head may decide: it speaks of telling or answering. A step of a procedure tells
    the customer what to do, and a procedure without it would be wrong."""
    return bool(_TELLING.search(sentence)) and not _LIST_ITEM.match(sentence)
