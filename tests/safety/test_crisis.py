"""Danger is seen; jests, past events and product talk are not danger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatbot.safety.crisis import concern_reason, crisis_alarm, crisis_reason, looked_at
from chatbot.safety.verdicts import verdict_of
from chatbot.safety.views import scoring_views
from chatbot.types import Action, ReasonCode, Route, Verdict


@pytest.mark.parametrize(
    "text",
    [
        "I want to kill myself",
        "i w a n t to k1ll myself",
        "I don't want to live any more",
        "My sister is suicidal and she won't answer",
        "She stopped breathing",
        "my husband hits me, please hide my orders",
        "Ich will nicht mehr leben",
        "The charger is on fire!",
        "he has a knife",
        "I'm so tired of being alive, can I cancel my order?",
        "I can't see a single reason to get up tomorrow",
        "he's choking on the bar, what do I do",
        "I can't wake her",
        "the kitchen's full of smoke",
        "our little one drank the lamp oil",
        "she swallowed one of the magnets",
    ],
)
def test_an_explicit_wording_raises_the_alarm(text: str) -> None:
    alarm = crisis_alarm(scoring_views(text))
    assert alarm is not None
    reason = crisis_reason(0.0, 0.5, alarm)
    assert reason is not None
    assert reason.code is ReasonCode.CRISIS
    assert reason.words == alarm.words


@pytest.mark.parametrize(
    "text",
    [
        "I'm dying to know when it's back",
        "This queue is killing me",
        "The sauce set my mouth on fire",
        "I don't want to kill myself painting the gable haha",
        "My laptop committed suicide",
        "My boss will kill me if the banners are late",
        "He hit me with the news that we overpaid",
        "I want to end my contract",
        "I'm tired of life in the city and need a tent",
        "can't breathe in this polyester, is there one in cotton?",
        "The torch ate two batteries in a week",
        "my stove drank a litre of fuel in one weekend",
        "the dog chewed the battery cover",
        "I nearly had a heart attack when I saw the bill",
        "You're choking the market with these prices",
        "I hope I don't wake up to another of your mails",
        "No reason to get up early for your sale then",
    ],
)
def test_a_jest_or_a_product_is_no_alarm(text: str) -> None:
    assert crisis_alarm(scoring_views(text)) is None


def test_rules_are_silent_on_support_messages() -> None:
    path = Path("finetune/data/safety/support_legit.jsonl")
    texts = [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()]
    alarms = [text for text in texts if crisis_alarm(scoring_views(text))]
    assert len(alarms) <= 0.01 * len(texts), alarms


def route(action: Action) -> Route:
    return Route("return_policy", 0.9, False, action, "it is asked often")


def test_where_danger_is_possible_a_person_looks_and_no_crisis_text_is_sent() -> None:
    assert concern_reason(0.3, 0.4) is None
    reason = concern_reason(0.5, 0.4)
    assert reason is not None
    assert verdict_of([reason]) is Verdict.HOLD
    for action in (Action.ANSWER, Action.TEMPLATE, Action.ASK_SLOT, Action.REFUSE, Action.CLARIFY):
        looked = looked_at(route(action), (reason,))
        assert looked.action is Action.ALWAYS_REVIEW
        assert looked.urgent
        assert "0.50 reaches 0.40" in looked.why


@pytest.mark.parametrize("action", [Action.HANDOVER, Action.CRISIS])
def test_what_goes_to_a_person_anyway_stays_as_it_is(action: Action) -> None:
    reason = concern_reason(0.5, 0.4)
    assert reason is not None
    assert looked_at(route(action), (reason,)) == route(action)


def test_without_concern_a_route_stays_as_it_is() -> None:
    assert looked_at(route(Action.ANSWER), ()) == route(Action.ANSWER)


def test_the_head_alone_is_enough_above_its_threshold() -> None:
    assert crisis_reason(0.4, 0.5, None) is None
    reason = crisis_reason(0.6, 0.5, None)
    assert reason is not None
    assert (reason.rule, reason.score, reason.threshold) == ("crisis.model", 0.6, 0.5)
