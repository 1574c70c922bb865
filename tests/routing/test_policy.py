from __future__ import annotations

import os
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from chatbot.company import DAYS, load_company
from chatbot.errors import SetupError
from chatbot.routing.artifact import Bands
from chatbot.routing.hours import Closed, closed_at
from chatbot.routing.policy import RoutePolicy
from chatbot.types import Action, Entity, HistoryMessage, Prediction, Route, Screening, Tone
from knowledge_base.settings import SAMPLE_COMPANY
from tests.routing.helpers import prediction, screening

ROUTES = SAMPLE_COMPANY / "routes.toml"
BANDS = Bands(act=0.6, clarify=0.3)
ORDER = (Entity("order_id", 0, 10, "LM-1234567"),)
ASKED = HistoryMessage("bot", "Could you give me the order number? It starts with LM.")
ABSTAINED = HistoryMessage("bot", "I could not find a reliable answer to that.")


def decide(
    said: Screening | str, guess: Prediction, *history: HistoryMessage, path: Path = ROUTES
) -> Route:
    policy = RoutePolicy.load(path, bands=BANDS)
    said = screening(said) if isinstance(said, str) else said
    return policy.decide(said, guess, history, company_language="en")


def test_a_confident_question_is_answered_from_the_articles() -> None:
    route = decide("how long may I keep it", prediction(("return_policy", 0.9), ("x", 0.1)))
    assert route.action is Action.ANSWER
    assert route.intent == "return_policy"
    assert "0.90" in route.why


def test_an_order_question_asks_for_the_missing_number() -> None:
    route = decide("where is it", prediction(("order_status", 0.9), ("x", 0.1)))
    assert (route.action, route.template, route.missing_slot) == (
        Action.ASK_SLOT,
        "ask_order_id",
        "order_id",
    )


def test_an_order_question_with_its_number_is_handed_over() -> None:
    said = screening("where is LM-1234567", redacted="where is <ORDER_ID_1>", entities=ORDER)
    route = decide(said, prediction(("order_status", 0.9), ("x", 0.1)))
    assert (route.action, route.template) == (Action.HANDOVER, "handover_notice")


def test_a_number_given_earlier_in_the_conversation_is_remembered() -> None:
    earlier = HistoryMessage("customer", "my order <ORDER_ID_1> is not here")
    route = decide("can I cancel it", prediction(("order_cancel", 0.9), ("x", 0.1)), earlier)
    assert route.action is Action.HANDOVER
    assert "known" in route.why


def test_a_bare_number_answers_the_question_for_it_whatever_the_router_thinks() -> None:
    said = screening("LM-1234567", redacted="<ORDER_ID_1>", entities=ORDER)
    route = decide(said, prediction(("greeting", 0.9), ("x", 0.1), out_of_scope=0.95), ASKED)
    assert route.action is Action.HANDOVER


def test_the_number_is_asked_for_only_once() -> None:
    guess = prediction(("order_status", 0.9), ("x", 0.1))
    route = decide("I do not have it any more", guess, ASKED)
    assert route.action is Action.HANDOVER
    assert route.missing_slot == "order_id"


def test_another_question_after_being_asked_for_the_number_is_answered() -> None:
    guess = prediction(("return_policy", 0.9), ("x", 0.1))
    assert decide("and how long can I return things", guess, ASKED).action is Action.ANSWER


def test_a_crisis_comes_before_everything_else() -> None:
    said = screening("ich kann nicht mehr", language="de", crisis=True, tone=Tone.ANGRY)
    route = decide(said, prediction(("greeting", 0.9), ("x", 0.1)))
    assert route.action is Action.CRISIS
    assert route.urgent


def test_another_language_gets_its_notice_and_a_person() -> None:
    route = decide(
        screening("wo ist mein Paket", language="de"), prediction(("order_status", 0.9), ("x", 0))
    )
    assert (route.action, route.template) == (Action.HANDOVER, "other_language")


def test_a_text_too_short_to_tell_its_language_is_taken_as_the_companys() -> None:
    route = decide(screening("hi", language=None), prediction(("greeting", 0.9), ("x", 0.1)))
    assert (route.action, route.template) == (Action.TEMPLATE, "greeting_reply")


@pytest.mark.parametrize("text", ["I want a REAL  person now", "get me your manager", "ombudsman!"])
def test_a_keyword_hands_over_whatever_the_router_thinks(text: str) -> None:
    assert decide(text, prediction(("return_policy", 0.99), ("x", 0))).action is Action.HANDOVER


def test_a_keyword_inside_another_word_does_not_count() -> None:
    guess = prediction(("return_policy", 0.9), ("x", 0.1))
    assert decide("ombudsmanship courses?", guess).action is Action.ANSWER


def test_a_likely_wish_for_a_person_is_enough() -> None:
    guess = prediction(("human_request", 0.45), ("complaint", 0.3))
    assert decide("anyone there who can sort this", guess).action is Action.HANDOVER


@pytest.mark.parametrize(("tone", "urgent"), [(Tone.ANGRY, False), (Tone.THREATENING, True)])
def test_an_angry_customer_gets_a_person(tone: Tone, urgent: bool) -> None:
    said = screening("this is a disgrace", tone=tone)
    route = decide(said, prediction(("return_policy", 0.9), ("x", 0.1)))
    assert (route.action, route.urgent) == (Action.HANDOVER, urgent)


def test_a_frustrated_customer_is_still_helped() -> None:
    said = screening("third time I ask", tone=Tone.FRUSTRATED)
    assert decide(said, prediction(("return_policy", 0.9), ("x", 0))).action is Action.ANSWER


def test_a_person_takes_over_after_two_answers_that_did_not_help() -> None:
    guess = prediction(("return_policy", 0.9), ("x", 0.1))
    once = (HistoryMessage("customer", "a"), ABSTAINED, HistoryMessage("customer", "b"))
    assert decide("c", guess, *once).action is Action.ANSWER
    assert decide("c", guess, *once, ABSTAINED).action is Action.HANDOVER


def test_a_question_asked_word_for_word_for_the_third_time_is_handed_over() -> None:
    same = HistoryMessage("customer", "How long can I return it?")
    bot = HistoryMessage("bot", "60 days.")
    guess = prediction(("return_policy", 0.9), ("x", 0.1))
    route = decide("how long can I return it", guess, same, bot, same, bot)
    assert route.action is Action.HANDOVER


def test_far_out_of_scope_is_refused_and_a_borderline_case_is_looked_up() -> None:
    guess = prediction(("product_info", 0.3), ("store_info", 0.2), out_of_scope=0.95)
    assert decide("what is the capital of Peru", guess).template == "refuse"
    guess = prediction(("order_change", 0.25), ("greeting", 0.2), out_of_scope=0.6)
    assert decide("do you have a gym", guess).action is Action.ANSWER


def test_a_likely_intent_outweighs_a_borderline_scope() -> None:
    guess = prediction(("order_status", 0.8), ("greeting", 0.1), out_of_scope=0.6)
    assert decide("where is my parcel", guess).action is Action.ASK_SLOT


def test_an_unsure_question_is_looked_up_when_the_likely_intents_are_all_answered() -> None:
    guess = prediction(("return_policy", 0.2), ("refund_policy", 0.19))
    assert decide("what happens to my money when I return it", guess).action is Action.ANSWER


def test_an_unsure_message_between_different_routes_is_clarified() -> None:
    guess = prediction(("order_cancel", 0.4), ("return_policy", 0.35))
    route = decide("I do not want it", guess)
    assert route.action is Action.CLARIFY
    assert "cancelling an order or the return policy" in route.why
    assert route.alternatives[0][0] == "return_policy"


def test_an_unsure_message_without_a_rival_takes_its_route() -> None:
    guess = prediction(("order_status", 0.5), ("greeting", 0.1))
    assert decide("parcel still not here", guess).action is Action.ASK_SLOT


def test_too_unsure_to_ask_goes_to_the_articles_or_to_a_person_as_the_file_says(
    tmp_path: Path,
) -> None:
    guess = prediction(("order_cancel", 0.2), ("greeting", 0.15))
    assert decide("hm", guess).action is Action.ANSWER
    path = tmp_path / "routes.toml"
    text = ROUTES.read_text(encoding="utf-8")
    path.write_text(text.replace('below = "answer"', 'below = "handover"'), encoding="utf-8")
    assert decide("hm", guess, path=path).action is Action.HANDOVER


def test_a_general_question_asks_the_articles_before_it_asks_for_a_number() -> None:
    guess = prediction(("order_status", 0.9), ("x", 0.1))
    route = decide("What does the status Packing mean?", guess)
    assert (route.action, route.template, route.missing_slot) == (
        Action.ANSWER,
        "ask_order_id",
        "order_id",
    )
    own = screening("what if LM-1234567 is late", redacted="what if <ORDER_ID_1>", entities=ORDER)
    assert decide(own, guess).action is Action.HANDOVER


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("how do I cancel an order", Action.ANSWER),
        ("Can I cancel after it was sent?", Action.ANSWER),
        ("my parcel shows Received, what now", Action.ANSWER),
        ("half of it came, how come", Action.ANSWER),
        ("has my order left yet?", Action.ASK_SLOT),
        ("any news of our parcel?", Action.ASK_SLOT),
        ("could you look into it?", Action.ASK_SLOT),
        ("cancel my order please", Action.ASK_SLOT),
        ("my parcel is not here", Action.ASK_SLOT),
    ],
)
def test_a_rule_is_looked_up_and_ones_own_order_is_not(text: str, action: Action) -> None:
    assert decide(text, prediction(("order_status", 0.9), ("x", 0.1))).action is action


def test_what_goes_on_with_an_answer_is_looked_up_before_a_number_is_asked_for() -> None:
    guess = prediction(("order_status", 0.9), ("x", 0.1))
    answer = HistoryMessage("bot", "Received means that we have your payment.")
    assert decide("it says that for three days now", guess).action is Action.ASK_SLOT
    assert decide("it says that for three days now", guess, answer).action is Action.ANSWER
    assert decide("and my parcel is still not here", guess, answer).action is Action.ASK_SLOT


def test_an_order_number_makes_a_request_ones_own_case_but_not_a_question() -> None:
    guess = prediction(("return_start", 0.9), ("x", 0.1))
    said = screening("I return LM-1234567", redacted="I return <ORDER_ID_1>", entities=ORDER)
    assert decide(said, guess).action is Action.HANDOVER
    asked = replace(said, redacted="how do I return <ORDER_ID_1>?")
    assert decide(asked, guess).action is Action.ANSWER


def test_an_unsure_question_asks_the_articles_instead_of_the_customer() -> None:
    guess = prediction(("payment_problem", 0.45), ("invoice_request", 0.4))
    route = decide("the total is the full price, is my gift card lost?", guess)
    assert (route.action, route.template) == (Action.ANSWER, "ask_order_id")
    assert decide("is it wrong?", guess).action is Action.CLARIFY
    guess = prediction(("store_info", 0.5), ("human_request", 0.35))
    assert decide("at what number can I call you?", guess).action is Action.ANSWER
    guess = prediction(("complaint", 0.5), ("legal_threat", 0.35))
    assert decide("is that even legal what you do?", guess).action is Action.CLARIFY


def test_what_follows_an_answer_is_not_refused_as_out_of_scope() -> None:
    guess = prediction(("product_info", 0.3), ("store_info", 0.2), out_of_scope=0.95)
    answer = HistoryMessage("bot", "Clean the jet with the brush.")
    assert decide("and with a pin?", guess).action is Action.REFUSE
    assert decide("and with a pin?", guess, answer).action is Action.ANSWER


def test_what_may_need_review_is_reviewed() -> None:
    guess = prediction(("warranty_repair", 0.5), ("product_safety", 0.3))
    assert decide("the stove hissed and flared", guess).action is Action.ALWAYS_REVIEW
    guess = prediction(("compensation_claim", 0.9), ("complaint", 0.1))
    assert decide("I want 50 pounds for this", guess).action is Action.ALWAYS_REVIEW


def test_a_legal_threat_is_handed_over_urgently() -> None:
    route = decide("my solicitor will write", prediction(("legal_threat", 0.9), ("x", 0.1)))
    assert (route.action, route.urgent) == (Action.HANDOVER, True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('action = "handover"\nlabel = "a legal', 'action = "hand"\nlabel = "a legal', "handover"),
        ('slot = "order_id"\nlabel = "where an', 'slot = "oder_id"\nlabel = "where an', "order_id"),
        ("[intents.greeting]", "[intents.greetings]", "did you mean 'greeting'"),
        ('template = "greeting_reply"', 'template = "greeting_rply"', "greeting_reply"),
        ("after_failures = 2", "after_failure = 2", "after_failures"),
        ('action = "answer"\nlabel = "our shops"', 'action = "crisis"', "decided by the program"),
        ('"return_start", "warranty', '"return_strt", "warranty', "did you mean 'return_start'"),
        (r"'\?'", "'(?'", "no regular expression"),
        ("version = 1", "version = ", "line"),
        ('label = "who I am"', "lable = 5", "label"),
    ],
)
def test_a_mistake_names_its_line_and_the_remedy(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "routes.toml"
    good = ROUTES.read_text(encoding="utf-8")
    assert old in good
    path.write_text(good.replace(old, new), encoding="utf-8")
    with pytest.raises(SetupError) as caught:
        RoutePolicy.load(
            path,
            intents=tomllib.loads(good)["intents"].keys(),
            templates={"greeting_reply", "refuse", "thanks", "bot_identity", "handover_notice"}
            | {"ask_order_id", "other_language", "handover_closed"},
        )
    assert message in caught.value.detail
    first_changed = next(
        i
        for i, (a, b) in enumerate(
            zip(good.splitlines(), path.read_text().splitlines(), strict=False), start=1
        )
        if a != b
    )
    numbers = {f":{n}:" for n in (first_changed, first_changed - 1, first_changed - 2)}
    assert any(n in caught.value.detail for n in numbers) or "line" in caught.value.detail


def test_a_change_takes_effect_and_a_broken_one_keeps_the_old_routes(tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    good = ROUTES.read_text(encoding="utf-8")
    path.write_text(good, encoding="utf-8")
    policy = RoutePolicy.load(path, bands=BANDS)
    guess = prediction(("privacy_data", 0.9), ("x", 0.1))

    def action() -> Action:
        return policy.decide(screening("my data"), guess, (), company_language="en").action

    def write(text: str, at_ns: int) -> None:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(at_ns, at_ns))

    assert action() is Action.ANSWER
    table = '[intents.privacy_data]\naction = "answer"'
    write(good.replace(table, table.replace("answer", "handover")), 10**18)
    assert action() is Action.HANDOVER
    assert policy.problem is None
    write(good.replace(table, table.replace("answer", "anser")), 2 * 10**18)
    assert action() is Action.HANDOVER
    assert policy.problem is not None
    assert "did you mean 'answer'" in policy.problem
    path.unlink()
    assert action() is Action.HANDOVER
    write(good, 3 * 10**18)
    assert action() is Action.ANSWER
    assert policy.problem is None


LONDON = replace(
    load_company(SAMPLE_COMPANY),
    timezone=ZoneInfo("Europe/London"),
    opening_hours={day: (time(9), time(17)) if day not in ("sat", "sun") else None for day in DAYS},
    holidays=frozenset({date(2026, 12, 25), date(2026, 12, 28)}),
)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-23T10:00Z", None),
        ("2026-11-23T08:59Z", "2026-11-23T09:00+00:00"),
        ("2026-11-23T17:00Z", "2026-11-24T09:00+00:00"),
        ("2026-12-24T18:00Z", "2026-12-29T09:00+00:00"),
        ("2027-03-26T17:30Z", "2027-03-29T09:00+01:00"),
        ("2027-06-01T08:30Z", None),
    ],
)
def test_a_company_opens_again_after_nights_weekends_and_holidays(
    now: str, opens: str | None
) -> None:
    closed = closed_at(LONDON, datetime.fromisoformat(now))
    if opens is None:
        assert closed is None
    else:
        assert closed is not None
        assert closed.until == datetime.fromisoformat(opens)


def test_outside_opening_hours_a_handover_says_so() -> None:
    policy = RoutePolicy.load(ROUTES, bands=BANDS)
    closed = Closed(datetime(2026, 11, 23, 9, tzinfo=UTC))
    guess = prediction(("human_request", 0.9), ("x", 0.1))
    route = policy.decide(
        screening("a person please"), guess, (), company_language="en", closed=closed
    )
    assert route.template == "handover_closed"
    assert "closed until Mon 23 Nov 09:00" in route.why
    route = policy.decide(
        screening("wo ist es", language="de"), guess, (), company_language="en", closed=closed
    )
    assert route.template == "other_language"


def test_a_companys_own_number_said_earlier_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    text = ROUTES.read_text(encoding="utf-8")
    path.write_text(text.replace('["order_id"', '["booking_code", "order_id"'), encoding="utf-8")
    policy = RoutePolicy.load(path, bands=BANDS)
    guess = prediction(("order_cancel", 0.9), ("x", 0.1))
    route = policy.decide(
        screening("cancel it"), guess, (), company_language="en", remembered={"booking_code"}
    )
    assert route.action is Action.HANDOVER
