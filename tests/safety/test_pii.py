"""Personal data is found, hidden and put back; other people's never leaves."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from chatbot.answering.sentences import split_sentences
from chatbot.safety.leaks import leak_reasons
from chatbot.safety.pii import (
    MAX_READ,
    PII,
    find_entities,
    find_known,
    merge_entities,
    redact,
    restore,
)
from chatbot.types import Entity, Passage, ReasonCode
from finetune.pii_rows import TITLE
from knowledge_base.readers import read_articles
from knowledge_base.settings import SAMPLE_COMPANY

CASES = [
    Path("finetune/data/personal/messages") / f"{name}.jsonl"
    for name in ("first", "second", "third", "fourth", "fifth", "sixth")
]
"""Each was written without looking at the recognisers, which were mended after its first run, kind
of failure by kind of failure: recall 0.835 at a precision of 0.921 on the third, 0.926 at 0.980 on
the fourth, 0.856 at 0.915 on the fifth, 0.673 at 0.842 on the sixth. The tagger has learnt from
them since. What counts is the seventh set (``test_pii_tagger.py``)."""
ORDER_IDS = (r"\bLM[- ]?\d{7}\b",)


def cases() -> list[tuple[str, set[tuple[str, str]]]]:
    rows = [json.loads(line) for path in CASES for line in path.read_text("utf-8").splitlines()]
    return [(row["text"], {named(*entity) for entity in row["entities"]}) for row in rows]


def named(label: str, text: str) -> tuple[str, str]:
    """The sets disagree on whether a title is part of a name; here it is not."""
    title = TITLE.match(text) if label == "person_name" else None
    return label, text[title.end() :] if title else text


def found(text: str) -> set[tuple[str, str]]:
    return {named(e.label, e.text) for e in find_entities(text, ORDER_IDS) if e.label in PII}


def passage(text: str, audience: str = "public") -> Passage:
    return Passage("a", "0" * 12, "a#1", "Contact", "", "", text, 1.0, audience)


def test_patterns_keep_what_they_have_reached() -> None:
    right = wanted = claimed = 0
    for text, expected in cases():
        got = found(text)
        right += len(got & expected)
        wanted += len(expected)
        claimed += len(got)
    assert right / wanted >= 0.98
    assert right / claimed >= 0.95


def test_support_messages_raise_hardly_a_false_alarm() -> None:
    """Company names, dishes, models, dates, prices and article text are nobody's data."""
    rows = Path("finetune/data/safety/support_legit.jsonl").read_text("utf-8").splitlines()
    theirs = {
        "Brian",
        "Wang",
        "Cockburn",
        "14 Orchard Lane, Flat 3",
        "PO Box 88, Alice Springs NT 0871",
    }
    theirs |= {"0161 496 0000", "EH6 7JX"}
    alarms = [
        (label, shown)
        for row in rows
        for label, shown in found(json.loads(row)["text"])
        if label not in {"order_id", "invoice_id"} and shown not in theirs
    ]
    assert len(alarms) / len(rows) <= 0.002, alarms


def test_sentences_of_articles_hold_no_personal_data_but_the_companys_own() -> None:
    articles = read_articles(SAMPLE_COMPANY / "articles", "sample").articles
    sentences = {s for article in articles for s in split_sentences(article.text)}
    companys = {"email", "phone"}  # published to be written to and called
    examples = {"LM-1234567", "INV-2026-123456"}
    alarms = [
        (label, shown)
        for sentence in sentences
        for label, shown in found(sentence)
        if label not in companys and shown not in examples
    ]
    assert alarms == []


def test_messages_without_personal_data_raise_no_false_alarm() -> None:
    assert {text: found(text) for text, expected in cases() if not expected and found(text)} == {}


def test_spans_refer_to_the_text_as_sent() -> None:
    for text, _ in cases():
        for entity in find_entities(text, ORDER_IDS):
            assert text[entity.start : entity.end] == entity.text


def test_entities_never_overlap() -> None:
    for text, _ in cases():
        spans = [(e.start, e.end) for e in find_entities(text, ORDER_IDS)]
        assert all(one[1] <= two[0] for one, two in pairwise(spans))


def test_an_order_number_of_card_length_is_no_card() -> None:
    labels = {label for label, _ in found("order 4929123456789012 is late")}
    assert labels == {"order_id"}


def test_the_same_value_keeps_its_placeholder_through_a_conversation() -> None:
    first = "order LM-4471203, mail jo@example.com"
    redacted, known = redact(first, find_entities(first, ORDER_IDS), {})
    assert redacted == "order <ORDER_ID_1>, mail <EMAIL_1>"
    later = "lm 4471203 again, and LM-9999999"
    again, used = redact(later, find_entities(later, ORDER_IDS), known)
    assert again == "<ORDER_ID_1> again, and <ORDER_ID_2>"
    assert used == {"<ORDER_ID_1>": "LM-4471203", "<ORDER_ID_2>": "LM-9999999"}


def test_redacting_and_restoring_gives_the_text_back() -> None:
    for text, _ in cases():
        redacted, placeholders = redact(text, find_entities(text, ORDER_IDS), {})
        values = {e.text for e in find_entities(text, ORDER_IDS) if e.label in PII}
        assert not any(len(v) > 4 and v in redacted for v in values)
        restored = restore(redacted, placeholders)
        assert restored == text or len(set(placeholders.values())) < len(values)


def test_a_placeholder_written_by_the_customer_is_never_reused() -> None:
    text = "<ORDER_ID_1> and LM-4471203"
    redacted, placeholders = redact(text, find_entities(text, ORDER_IDS), {})
    assert redacted == "<ORDER_ID_1> and <ORDER_ID_2>"
    assert restore(redacted, placeholders) == text


def test_what_a_conversation_knows_is_found_in_its_other_texts() -> None:
    known = {"<PERSON_NAME_1>": "Annika Sollberg", "<POSTCODE_1>": "12", "<PERSON_NAME_2>": "Jo"}
    text = "Dear annika sollberg, we have sent 12 pegs to Jo, not to Annika Sollbergs."
    found = find_known(text, known)
    assert [(e.label, e.text) for e in found] == [("person_name", "annika sollberg")]
    redacted, used = redact(text, found, known)
    assert redacted.startswith("Dear <PERSON_NAME_1>, we")
    assert used == {"<PERSON_NAME_1>": "Annika Sollberg"}


def test_dates_and_amounts_stay_readable() -> None:
    text = "I paid £12.50 on 12/02/2025 for a tent"
    assert redact(text, find_entities(text), {})[0] == text


def test_the_models_span_and_the_patterns_become_one_list() -> None:
    text = "order nr 88120-ZT for Anna Smith"
    name = Entity("person_name", 22, 32, "Anna Smith", source="model")
    wrong = Entity("product", 9, 14, "88120", source="model")
    merged = merge_entities(find_entities(text), [name, wrong])
    assert [(e.label, e.text) for e in merged] == [
        ("order_id", "88120-ZT"),
        ("person_name", "Anna Smith"),
    ]


def test_another_customers_order_number_is_a_leak_and_ones_own_is_not() -> None:
    text = "Your order LM-4471203 was sent."
    own = frozenset({"lm4471203"})
    assert leak_reasons(text, own, [], order_ids=ORDER_IDS) == ()
    (reason,) = leak_reasons(text, frozenset({"LM-1111111"}), [], order_ids=ORDER_IDS)
    assert reason.code is ReasonCode.PII_LEAK
    assert reason.words == "LM-4471203"


def test_another_customers_code_of_the_companys_own_kind_is_a_leak() -> None:
    def codes(text: str) -> list[Entity]:
        return [
            Entity("membership_number", m.start(), m.end(), m[0], m[0], "company", personal=True)
            for m in re.finditer(r"MC-\d{6}", text)
        ]

    text = "Your membership MC-204118 runs until May."
    (reason,) = leak_reasons(text, (), [], companys=codes)
    assert (reason.rule, reason.words) == ("pii.membership_number", "MC-204118")
    assert leak_reasons(text, frozenset({"MC-204118"}), [], companys=codes) == ()
    assert leak_reasons("I see <MEMBERSHIP_NUMBER_1>.", (), [])[0].rule == "pii.placeholder"


def test_contact_details_of_a_public_passage_may_be_said() -> None:
    contact = passage("Call 0808 157 0142 or write to help@larkmoor.example.")
    text = "You can call 0808 157 0142 or write to help@larkmoor.example."
    assert leak_reasons(text, (), [contact]) == ()
    assert len(leak_reasons(text, (), [passage(contact.text, "internal")])) == 2
    assert leak_reasons("Call +44 808 157 0142.", (), [contact]) == ()


def test_a_placeholder_that_stands_for_nothing_is_held() -> None:
    (reason,) = leak_reasons("I see <ORDER_ID_3>.", (), [])
    assert reason.rule == "pii.placeholder"


def test_a_card_number_hidden_by_invisible_characters_is_held() -> None:
    text = "Use 4929\u200b 1234 5678\u200b 9015."
    assert any(r.rule == "pii.card" for r in leak_reasons(text, (), []))


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1 ",
        "@",
        "a@",
        "1-",
        "A1",
        "a.b.",
        "1.1.",
        "::",
        "Aa ",
        "́",
        "�",
        "order ",
        "jo dot ",
        "AB12 ",
        "eyJ",
        "4111 ",
        "€1 ",
        "(0",
        "password is ",
        "🔪",
    ],
)
def test_a_text_of_a_megabyte_takes_bounded_time(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.monotonic()
    redacted, _ = redact(text, find_entities(text), {})
    assert time.monotonic() - started < 4.0
    assert len(redacted) < 12 * MAX_READ
    assert leak_reasons(text, (), [])


def test_presidio_is_used_without_network_and_without_its_language_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a recogniser opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for text, _ in cases():
        find_entities(text)


def test_importing_the_module_does_not_import_presidio() -> None:
    code = "import sys, chatbot.safety.pii; print('presidio_analyzer' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
