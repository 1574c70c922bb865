"""Whatever is in a text, every reader of it answers in bounded time, and in doubt it is held."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from chatbot.safety.calibration import Calibration
from chatbot.safety.checks import LeakCheck, RulesCheck, ToxicityCheck
from chatbot.safety.crisis import crisis_alarm
from chatbot.safety.gate import Candidate, Gate
from chatbot.safety.injection import injection_marker
from chatbot.safety.moderation import Moderator
from chatbot.safety.policy import Policy
from chatbot.safety.toxicity import CATEGORIES
from chatbot.safety.views import scoring_views
from chatbot.types import Side, Verdict
from chatbot.workers import Workers

SECONDS = 10.0  # on a busy machine; alone each takes less than one
POLICY = Policy.load(Path("knowledge_base/sample/policy.toml"))
GREETINGS = (
    "Where is my order? Wo ist meine Bestellung? Où est ma commande ? ¿Dónde está mi pedido? "
    "Dov'è il mio ordine? Onde está o meu pedido? Waar is mijn bestelling? Var är min order? "
    "Hvor er min ordre? Missä tilaukseni on? Gdzie jest moje zamówienie? Kde je moje objednávka? "
    "Hol van a rendelésem? Unde este comanda mea? Къде е поръчката ми? Где мой заказ? "
    "Де моє замовлення? Πού είναι η παραγγελία μου; Siparişim nerede? أين طلبي؟ איפה ההזמנה שלי? "
    "سفارش من کجاست؟ मेरा ऑर्डर कहाँ है? আমার অর্ডার কোথায়? ਮੇਰਾ ਆਰਡਰ ਕਿੱਥੇ ਹੈ? எனது ஆர்டர் எங்கே? "
    "నా ఆర్డర్ ఎక్కడ ఉంది? എന്റെ ഓർഡർ എവിടെ? ನನ್ನ ಆರ್ಡರ್ ಎಲ್ಲಿದೆ? คำสั่งซื้อของฉันอยู่ที่ไหน "
    "我的订单在哪里？ 注文はどこですか？ 내 주문은 어디에 있나요? Đơn hàng của tôi ở đâu? "
    "Di mana pesanan saya? Nasaan ang order ko? Oda yangu iko wapi? "
    "ჩემი შეკვეთა სად არის? Որտե՞ղ է իմ պատվերը: Nơi đâu? Hvar er pöntunin mín? Kur on mu tellimus?"
)
TEXTS = {
    "a megabyte": "Where is my parcel? " * 50_000,
    "one long word": "a" * 1_000_000,
    "a lone surrogate": "Where is my \ud83d parcel?",
    "ten thousand combining marks": "a" + "\u0301" * 10_000,
    "a bomb for nested repeats": "a" * 5_000 + "!" * 5_000,
    "a bomb of spaces": "i will " + " " * 20_000 + "x",
    "a bomb of brackets": "<" * 20_000 + "(" * 20_000,
    "a bomb of codes": "%41" * 5_000 + " &#65;" * 5_000 + " 01000001" * 2_000,
    "a bomb of dots": ".- " * 20_000,
    "forty languages": GREETINGS,
    "binary": bytes(range(256)).decode("latin-1") * 40,
    "nothing": "",
    "only white space": " \n\t\u00a0\u200b" * 50,
    "only emoji": "😀🔪" * 2_000,
}


class Harmless:
    """Stands where the toxicity model would, whose speed has a test of its own."""

    name = "harmless"

    def score(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [dict.fromkeys(CATEGORIES, 0.0) for _ in texts]


@pytest.mark.parametrize("name", TEXTS)
def test_views_and_rules_take_bounded_time(name: str) -> None:
    text = TEXTS[name][:20_000]  # what the screen reads of a message
    started = time.monotonic()
    views = scoring_views(text)
    injection_marker(views)
    crisis_alarm(views)
    assert time.monotonic() - started < SECONDS
    assert views[0] == text


@pytest.mark.parametrize("name", TEXTS)
async def test_the_gate_answers_in_bounded_time_and_holds_what_it_cannot_read(name: str) -> None:
    text = TEXTS[name]
    calibration = Calibration({side: dict.fromkeys(CATEGORIES, 0.5) for side in Side})
    workers = Workers()
    checks = (
        ToxicityCheck(Moderator(Harmless(), calibration)),
        LeakCheck("Answer from the passages."),
        RulesCheck(POLICY, ("larkmoor.example",)),
    )
    started = time.monotonic()
    try:
        decision = await Gate(checks, workers, deadline_s=60).decide(Candidate(text))
    finally:
        workers.close()
    assert time.monotonic() - started < SECONDS
    if len(text) > 20_000:
        assert decision.verdict is Verdict.HOLD
        assert decision.reasons


def test_honest_questions_in_forty_languages_break_no_rule() -> None:
    views = scoring_views(GREETINGS)
    assert injection_marker(views) is None
    assert crisis_alarm(views) is None
