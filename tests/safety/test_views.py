from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.safety.views import model_text, scoring_views


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("you 1d10t", "idiot"),
        ("sh!t and a$$hole", "shit and asshole"),
        ("fa99ot", "faggot"),
        ("i d i o t", "idiot"),
        ("y o u  i d i o t", "you idiot"),
        ("i.d.i.o.t", "idiot"),
        ("f-u-c-k off", "fuck off"),
        ("idiooooot", "idiot"),
        ("asssshole", "asshole"),
        ("you аre аn іdіоt", "you are an idiot"),  # Cyrillic a, e, i, o
        ("ѕсum in Latin text", "scum in latin text"),
        ("𝓲𝓭𝓲𝓸𝓽", "idiot"),
        ("ⓘⓓⓘⓞⓣ", "idiot"),
        ("🅸🅳🅸🅾🆃", "idiot"),
        ("ɪᴅɪᴏᴛ", "idiot"),
        ("ｉｄｉｏｔ", "idiot"),
        ("id\u200bi\u2060ot", "idiot"),
        ("id\u00adiot", "idiot"),
        ("\u202eidiot\u202c", "idiot"),
        ("i\U000e0064diot", "idiot"),
        ("i𝐝\u0336ⓘ\u0301o\u200dt", "idiot"),
        ("🔪 you", "kitchen knife you"),
        ("You are. An idiot.", "you are an idiot"),
        ("Here is a. Stupid idiot for. Your team.", "here is a stupid idiot for your team"),
        ("yllaer toidi na era uoy", "you are an idiot really"),
        ("Ich will nicht mehr leben"[::-1], "ich will nicht mehr leben"),
        ("quiero morirme ya, no puedo"[::-1], "quiero morirme ya, no puedo"),
        ("h4v3 y0u 533n my pl3453 th353", "have you seen my please these"),
        ("I caaan't keeeep liviiing", "i can't keep living"),
    ],
)
def test_a_disguised_word_is_read_in_some_view(sent: str, seen: str) -> None:
    views = [" ".join(view.lower().split()) for view in scoring_views(sent)]
    assert any(seen in view for view in views), views


@pytest.mark.parametrize(
    "text",
    [
        "Where is my parcel?",
        "Order 1000000 for 2,000.00 EUR, 100% paid",
        "DE45X9K2, ABC1234, ORD-0451 and WM-1045X",
        "$50, US$20, €30!",
        "mp3, 4k, 2nd, 3pm, 50mm, 10kg, iPhone13",
        "joe.bloggs@example.com wrote",
        "The U.S.A. and the E.U.",
        "café, français, Zürich, Ångström",
        "привет, как дела, рот",
        "ελληνικά και άλλα",
        "wow!! great",
        "1. Open the app.\n2. Press Return.",
        "Your refund is on its way now. It takes five working days.",
        "An M8x40 bolt, and write to jo.b@example.org",
        "",
        "   ",
    ],
)
def test_ordinary_text_has_no_other_view_and_so_costs_nothing(text: str) -> None:
    assert scoring_views(text) == (text,)


def test_the_text_as_sent_comes_first_and_views_are_distinct() -> None:
    text = "Yоu 1d10t 🤡 sooooo \u200bbad"
    views = scoring_views(text)
    assert views[0] == text
    assert len(set(views)) == len(views) <= 5


def test_a_lone_surrogate_can_be_tokenised_afterwards() -> None:
    assert "\ufffd" in model_text("lone \ud83d here")
    model_text("lone \ud83d here").encode("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "a " * 500_000,
        "e" + "\u0301" * 10_000,
        "\u0301" * 300_000,
        "🔪" * 100_000,
        "1a" * 500_000,
        "а" * 300_000,
        "aаa " * 100_000,
        "i.d" * 330_000,
        "((((a+)+)+)+)+$!" * 60_000,
        "\ufdfa" * 20_000,  # one letter that NFKC turns into eighteen
    ],
    ids=lambda text: ascii(text[:6]),
)
def test_a_huge_text_of_anything_is_read_in_bounded_time(text: str) -> None:
    started = time.monotonic()
    scoring_views(text)
    assert time.monotonic() - started < 30  # about a second alone; other work may share the machine


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_at_all_has_views_that_can_be_encoded(text: str) -> None:
    views = scoring_views(text)
    assert views[0] == text
    for view in views[1:]:
        view.encode("utf-8")


def test_a_word_too_long_for_the_encoder_is_cut_not_lost() -> None:
    read = model_text("you " + "fuckyou" * 30)
    assert max(map(len, read.split())) < 100
    assert read.replace(" ", "") == "you" + "fuckyou" * 30
    assert model_text("Ship to Llanfairpwllgwyngyll.") == "Ship to Llanfairpwllgwyngyll."
