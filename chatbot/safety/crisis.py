"""Somebody may be in danger: to themselves, right now, or from another person.

Explicit wordings are found by rules over every scoring view; the head finds the others. A miss
costs more than a false alarm: what follows is a kind text with numbers to call and a person.
"""

# ruff: noqa: E501 - a pattern is read and changed as one line
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chatbot.safety.views import clean
from chatbot.types import Action, Reason, ReasonCode, Route

_PEOPLE: Final = (
    r"(?:he|she|they|(?:my|her|his) (?:ex|husband|wife|partner|boyfriend|girlfriend|dad|father|"
    r"step-?dad|step-?father|mum|mom|mother|uncle|carer|boss|brother|son|daughter|sister|host|"
    r"flatmate|landlord))"
)
_SOMEBODY: Final = (
    r"(?:i|we|he|she|baby|child|kids?|toddler|son|daughter|boy|girl|one|nephew|niece|grand\w{1,8}|friend|"
    r"mum|mom|dad|brother|sister|husband|wife|year[- ]old)"
)
_WANT: Final = (
    r"(?:want(?:ed|s|ing)? to|wanna|going to|gonna|plan(?:ning|s)? to|ready to|decided to|about to|"
    r"thinking (?:of|about)|think about|thoughts of|need to|considering|wish i (?:could|was|were))"
)
_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern, re.I))
    for name, pattern in (
        (
            "self_harm",
            r"\b(?:kill|hurt|harm|cut|burn|hang|starv|end)(?:ing|ed|s)? (?:myself|himself|herself|themselves)\b"
            r"(?! (?:a|up|some|the)\b)|\b(?:cut myself(?! a\b)|hurting myself|do something to myself|do to myself)\b",
        ),
        (
            "self_harm",
            rf"\b{_WANT} (?:just |really )?(?:die\b|be dead|end (?:it all|my life|it tonight|everything)|"
            r"ending (?:it all|my life)|not (?:be|being) (?:here|alive)|stop existing|disappear for good|suicide|"
            r"jump(?:ing)? (?:off|in front)|take my (?:own )?life|hang(?:ing)? myself|overdos)",
        ),
        (
            "self_harm",
            r"\b(?:don'?t|do not|no longer|never) want to (?:live|be alive|be here any ?more|exist|wake up|go on)\b"
            r"|\bno (?:reason|point|will)(?: in)? (?:to (?:go on|live|be here)|(?:being|living|staying) ?(?:alive)?\b)"
            r"|\b(?:better off (?:without me|dead|if i (?:was|were) (?:dead|gone)))\b|\bworth more dead\b"
            r"|\b(?:end(?:ing)? my life|take (?:my|his|her|their) own life|kill ?my ?self|never wake up)\b"
            r"|\b(?:i|i'm|im|been|feel(?:ing)?|is|she's|he's|and) (?:\w+ )?suicidal\b|\bsuicide (?:note|is all)\b"
            r"|\bself[- ]?harm(?:ing|ed)\b|\bkms\b(?! ?\d)|\bi (?:took|have taken|'ve taken) (?:all|too many|a whole)"
            r"\b.{0,20}\b(?:pills|tablets|paracetamol)\b",
        ),
        (
            "self_harm",
            r"\bnicht mehr leben\b|\b(?:bring|bringe) mich (?:heute |jetzt )?um\b(?! noch)|\bmich umbringen\b"
            r"|\b(?:plus|pas) envie de vivre\b|\b(?:me suicider|en finir avec la vie|me tuer)\b"
            r"|\bquiero morir(?:me)?\b(?! de)|\bno quiero (?:seguir )?(?:vivir|viviendo)\b|\bsuicidarme\b"
            r"|\bwil niet meer leven\b|\bzelfmoord plegen\b|\bvoglio morire\b|\bquero morrer\b",
        ),
        (
            "self_harm",
            r"\b(?:won'?t|will not) (?:be alive\b|be (?:here|around) (?:any ?more|any longer|much longer|by)\b"
            r"|need \w+(?: \w+)? (?:where i'?m going|when i'?m gone))"
            r"|\bwhere i(?:'m| am) going (?:i|nobody|no one|you)\b.{0,20}\b(?:need|wear)"
            r"|\b(?:this|it)(?:'s| is| was) (?:my|the) last (?:chat|conversation|message|night|goodbye)\b"
            r"|\bthe last (?:chat|conversation|thing|message) i(?:'ll| will)(?: ever)? (?:have|write|say|send|do)\b"
            r"|\bgiv(?:e|ing) away (?:all )?(?:my|his|her|their) (?:things|stuff|gear|belongings|clothes)\b"
            r"|\b(?:no ?one|nobody)(?:'d| would| will|'ll) (?:even )?(?:notice|miss me|care) if i (?:was|were|am|'m|died|vanished|left)\b"
            r"|\b(?:can'?t|cannot|don'?t think i can) (?:get|make it) through (?:tonight|the night|this night|another (?:day|night|week))\b"
            r"|\b(?:rather|wish i (?:could|did|would)|doesn'?t want to|want to) (?:not exist|never exist\w*|fade away)\b",
        ),
        (
            "self_harm",
            r"\b(?:standing|sitting|stood|i'?m|i am|he'?s|she'?s) on the (?:bridge|roof|ledge|tracks|railway|parapet|window ?sill)\b(?! (?:rack|box|tent))"
            r"|\b(?:razor|blade|pills|tablets|rope|belt|noose|bleach)s? (?:is |are )?(?:in my hand|in front of me|round my neck|around my neck|around the beam)\b"
            r"|\b(?:took|taken|swallowed) (?:all|the whole|a whole|too many|a lot|every one)(?: of)? (?:of |them|my |the |his |her |box|pack|those )*"
            r"(?:pills?|tablets?|painkillers?|them|medication|sleeping)\b"
            r"|\bcut(?:ting|s)? (?:too deep|my (?:arms?|wrists?|legs?)|herself|himself|themselves)\b(?! (?:on|off|a) )"
            r"|\bdriving into a (?:tree|wall|bridge)\b|\b(?:voices?) (?:tell|telling|tells) me to\b"
            r"|\bmorgen gibt es mich nicht mehr\b|\bje veux (?:que tout s'arrête pour toujours|mourir|disparaître)\b"
            r"|\bnie chcę (?:już )?żyć\b|\bwil er niet meer zijn\b|\bla faccio finita\b|\bnão (?:quero|aguento) mais viver\b",
        ),
        (
            "danger",
            r"\b(?:boat|kayak|canoe|ship|dinghy|raft)\b.{0,30}\b(?:taking (?:on|in) water|sinking|capsized|going down|filling (?:up )?with water)\b"
            r"|\b(?:lost|stranded|stuck|hanging) (?:in|on|under|off) the (?:mountain|fell|ridge|fog|dark|crevasse|cliff|ledge|snow|woods|moor)\b.{0,80}"
            r"\b(?:dark|night|battery|phone|cold|alone|rope|help|feel(?:ing)?|weather|storm)\b"
            r"|\b(?:lips|face) (?:are|is|have gone|has gone|turning|going) (?:blue|grey|droop\w*)\b|\bface droops\b"
            r"|\b(?:he|she|dad|mum|mom|gran\w*|baby|friend|mate|wife|husband|son|daughter|brother|sister|man|woman|child)\b"
            r".{0,40}\b(?:doesn'?t|does not|won'?t|isn'?t|not) (?:wake up|waking up|responding|respond)\b"
            r"|\briecht (?:stark )?nach gas\b|\bhuele a gas\b|\bsent le gaz\b.{0,40}\b(?:tête|mal|vertige)"
            r"|\b(?:es brennt|mein haus brennt|il y a le feu)\b|\bne respire plus\b|\batmet nicht\b",
        ),
        (
            "abuse",
            r"\b(?:track(?:er|ing device)|one of your tags|airtag) (?:in|on|into|under|to) my (?:bag|handbag|car|coat|phone|rucksack)\b"
            r"|\b(?:waits?|waiting|standing|sits?) outside my (?:work|door|house|flat|school|home)\b"
            r"|\b(?:beats|hits|chokes|hurts) (?:me|the other|her|him|us|them)\b(?! (?:with|to|at|by) (?:a |the )?(?:price|chess|score))(?! hands down)"
            r"|\bif (?:he|she|they) finds? out\b.{0,40}\b(?:kill|hurt|done for|dead|beat|hit|punish)"
            r"|\b(?:scared|terrified|frightened) (?:to go home|of (?:him|her|my (?:husband|wife|partner|boyfriend|dad|father|ex)))\b"
            r"|\b(?:locks?|locked) (?:me|us) (?:in|out|up)\b.{0,40}\b(?:again|phone|night|cold|wages|room|house)\b"
            r"|\b(?:i get|i'm|am) punished (?:for|when)\b|\btouches me\b|\bcomes into my room at night\b",
        ),
        (
            "danger",
            r"\b(?:stopped|not|isn't|isnt|struggling to) breath(?:ing|e)\b|\bunconscious\b|\bpassed out\b"
            r"|\b(?:has|have|just|'s) collapsed\b|\b(?:having|got|have) (?:bad |severe |strong )?chest pains?\b"
            r"|\bthroat(?: is|'s)? closing\b|\b(?:won'?t|wont|doesn'?t|can'?t) stop (?:the )?bleeding\b"
            r"|\b(?:having|had) a (?:seizure|stroke)\b|\banaphyla"
            r"|\b(?:he|she|they|someone|man|woman)(?:'s| has|'s got| is| have)? (?:got |holding )?(?:a |an )"
            r"(?:knife|gun|weapon|machete)\b|\b(?:call|send|need) (?:an ambulance|the police|999|112|911)\b",
        ),
        (
            "danger",
            r"\b(?:is|are|'s|caught) on fire\b|\bsmell(?:s|ing)? (?:\w+ )?(?:of )?(?:gas|petrol)\b.{0,80}"
            r"\b(?:dizzy|sick|headache|faint|right now|kids|children|alight|ill)\b"
            r"|\bcarbon monoxide\b.{0,40}\b(?:going off|scream|beep|won't wake|alarm is)"
            r"|\b(?:breaking|broken|broke) into (?:the|my|our) (?:house|flat|home)\b.{0,40}\b(?:now|hiding|upstairs)\b"
            r"|\b(?:tongue|lips|face|throat) (?:is|are|'s) swelling\b|\bwe(?:'re| are) (?:stuck|trapped)\b.{0,60}"
            r"\b(?:blizzard|cold|lift|water|smoke|freezing)\b",
        ),
        (
            "self_harm",
            r"\btired of (?:being alive|living|life)\b(?! (?:in|with|at|without|out)\b)"
            r"|\b(?:no|not a|(?:can'?t|cannot|don'?t|do not) see (?:a|any)) (?:single )?reason to (?:get up|wake up|be here|carry on)\b(?! (?:early|for|so|to|with)\b)"
            r"|\bhop(?:e|ing) (?:that )?i (?:won'?t|don'?t|do not|will not|never) wake up\b(?! to)"
            r"|\b(?:the world|everyone|everybody|they|my (?:family|kids|children|wife|husband)) (?:\w+ ){0,3}(?:lighter|easier|better|fine) (?:by one|without me)\b"
            r"|\bi(?:'?m| am) not safe (?:by myself|on my own|with myself|from myself)\b|\bno fight left\b|\bwant out of my life\b"
            r"|\b(?:scared|afraid|frightened) of what i(?:'ll| will| might| could| may) do\b(?! to)",
        ),
        (
            "danger",
            r"\b(?:he|she|baby|child|kid|toddler|son|daughter|boy|girl|mum|dad|gran\w*|friend|wife|husband)(?:'?s| is)? (?:choking|fitting|convulsing|drowning)\b(?! (?:you|us|me|the|in (?:mail|debt|news)))"
            r"|\b(?:can'?t|cannot|couldn'?t) wake (?:him|her|them|my \w+|gran\w*|mum|dad)\b|\bblacking out\b"
            r"|\b(?:can'?t|cannot) (?:get (?:my|his|her) breath|breathe)\b(?! (?:in|through|with|for|under) )"
            r"|\b(?:i'?m|i am|he'?s|she'?s) having a (?:heart attack|stroke|fit|seizure)\b(?! (?:at|over|when|about|because))"
            r"|\b(?:house|kitchen|room|flat|garage|tent|hallway|curtains?|bed|car|van|shed|carpet|sofa|roof)(?:'s| is| are)? (?:now )?(?:alight|in flames|full of smoke)\b"
            r"|\bsmoke(?:'s| is)? (?:coming|pouring) (?:out|from|through)\b|\b(?:bitten by a snake|snake ?bite)\b",
        ),
        (
            "danger",
            rf"(?:\b(?:swallowed|gulped)\b|\b{_SOMEBODY}(?:'s|'ve| has| have)? (?:just |maybe )?(?:drank|drunk|ate|eaten|chewed|inhaled|sniffed)\b)"
            r"[^.!?\n]{0,30}\b(?:fuel|lamp oil|petrol|cleaner|bleach|dishwasher tabs?|glue|slug pellets?|magnets?|batter(?:y|ies)|"
            r"button cells?|antifreeze|lighter gas|descaler|detergent|iron tablets)\b(?! (?:cover|lid|case|compartment))",
        ),
        (
            "abuse",
            rf"\b{_PEOPLE}(?:'s|'ll)? (?:\w+ ){{0,3}}(?:hits|hit|beats|beat|beating|choked|strangled|hurts|hurt|"
            r"punched|slaps|slapped|raped|assaulted|abuses|abused|threatens|threatened|stalks|stalking|broke)"
            r" (?:me\b|us\b|my (?:arm|nose|jaw|wrist|rib|kids|children|mum))(?! (?:with (?:the|a|news)|to the|at\b|up\b))",
        ),
        (
            "abuse",
            rf"\b{_PEOPLE}(?: will|'ll|'s going to| is going to| said (?:he|she)'ll| says (?:he|she)'ll)"
            r" (?:hurt|kill|beat|find) (?:me|us)\b(?=$|[.,!?]| if (?:he|she|i leave|i go|they)| and| when)"
            r"|\b(?:i was|i've been|been) (?:raped|sexually assaulted|assaulted|abducted|kidnapped|trafficked)\b"
            r"|\b(?:won'?t|doesn'?t|don'?t) let me (?:leave|out of)\b|\bafraid (?:of|to go) (?:him|home)\b"
            r"|\bblackmail(?:ed|ing) (?:me\b|with)|\bmon mari me frappe\b|\bmein mann schl[äa]gt mich\b"
            r"|\bmi (?:ex|marido) me (?:pega|amenaza)\b",
        ),
    )
)
_HARMLESS: Final = re.compile(
    r"\b(?:haha|lol|lmao|jk|joking apart|nearly|almost|practically|feels like|in the game|my character|"
    r"level|boss fight|the price|last (?:month|year|summer|winter|spring|autumn)|years? ago|no one was hurt|"
    r"all fine now|squad|prevention|movie|film|novel|dvd|book|poster|song|sauce|spicy|plant|sourdough)\b"
    r"|[\U0001F600-\U0001F606\U0001F923\U0001F639]",
    re.I,
)
_DENIED: Final = re.compile(
    r"\b(?:don'?t|do not|didn'?t|not|never|without|stop me|before i|so i don'?t)\b[^.!?]{0,16}$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Alarm:
    rule: str
    words: str


def crisis_alarm(views: Sequence[str]) -> Alarm | None:
    """The first explicit wording that no jest, denial or past tense takes back."""
    for view in dict.fromkeys((*views, *(clean(view) for view in views[:1]))):
        for sentence in re.split(r"(?<=[.!?\n])\s+", view.replace("\u2019", "'")):
            if _HARMLESS.search(sentence):
                continue
            for rule, pattern in _RULES:
                match = pattern.search(sentence)
                if match and not (
                    rule == "self_harm"
                    and match[0].lower().startswith(("kill", "hurt", "harm", "cut"))
                    and _DENIED.search(sentence[: match.start()])
                ):
                    return Alarm(f"crisis.{rule}", match[0][:120])
    return None


def crisis_reason(score: float, threshold: float, alarm: Alarm | None) -> Reason | None:
    """None when neither a rule nor the head speaks of danger."""
    if alarm is not None:
        return Reason(
            ReasonCode.CRISIS,
            f"Somebody may be in danger: {alarm.words!r}.",
            rule=alarm.rule,
            words=alarm.words,
            score=score,
            threshold=threshold,
        )
    if score < threshold:
        return None
    return Reason(
        ReasonCode.CRISIS,
        f"Somebody may be in danger: {score:.2f} reaches {threshold:.2f}.",
        rule="crisis.model",
        score=score,
        threshold=threshold,
    )


def concern_reason(score: float, threshold: float) -> Reason | None:
    """For a score below that of the crisis text: a look by a person too many harms nobody, a
    crisis text under an ordinary question does."""
    if score < threshold:
        return None
    return Reason(
        ReasonCode.CONCERN,
        f"Perhaps somebody is in danger: {score:.2f} reaches {threshold:.2f}.",
        rule="crisis.concern",
        score=score,
        threshold=threshold,
    )


def looked_at(route: Route, reasons: Sequence[Reason]) -> Route:
    """Where there is concern, a person reads the answer first, urgently; what goes to a person
    anyway stays as it is."""
    concern = next((r for r in reasons if r.code is ReasonCode.CONCERN), None)
    if concern is None or route.action in {Action.CRISIS, Action.HANDOVER}:
        return route
    return replace(
        route, action=Action.ALWAYS_REVIEW, urgent=True, why=f"{concern.detail} {route.why}"
    )
