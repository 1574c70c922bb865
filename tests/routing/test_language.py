from __future__ import annotations

import pytest

from chatbot.routing.language import detect_language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Wo ist mein Paket, ich warte seit zwei Wochen?", "de"),
        ("¿Dónde está mi pedido?", "es"),
        ("bonjour je veux un remboursement", "fr"),
        ("Waar is mijn pakket?", "nl"),
        ("Gdzie jest moja paczka?", "pl"),
        ("Dov'è il mio ordine?", "it"),
        ("Где мой заказ?", "ru"),
        ("我的订单在哪里", "zh"),
        ("where is my order, I have waited for ten days", "en"),
        ("ok thx", "en"),
    ],
)
def test_a_sentence_names_its_language(text: str, code: str) -> None:
    assert detect_language(text).code == code


@pytest.mark.parametrize(
    "text",
    [
        "jacket xl?",
        "LM-1234567",
        "de la Cruz",
        "Krisztián Szöllösy",
        "hola",
        "refund plz",
        "thx m8",
        "tent pegs vango halo pro 300",
        "Müller Straße 5 Berlin",
        "🙂🙂",
        "",
        "   ",
        "roll a die",
        "https://example.org/wo-ist-mein-paket-ich-warte",
    ],
)
def test_fragments_names_and_numbers_are_never_called_another_language(text: str) -> None:
    assert detect_language(text).code in (None, "en")


def test_a_very_long_text_costs_no_more_than_its_beginning() -> None:
    assert detect_language("where is my order? " * 60_000).code == "en"
