from __future__ import annotations

import pytest

from chatbot.answering.kinds import sentence_kind
from chatbot.answering.prompt import ABSTENTION


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (ABSTENTION, "abstention"),
        ("I'm sorry, but I couldn’t find that in our help articles.", "abstention"),
        ("Thanks for getting in touch!", "courtesy"),
        ("I'm sorry to hear that.", "courtesy"),
        ("You're welcome!", "courtesy"),
        ("Would you like me to pass you to a person?", "question"),
        ("Which country do you live in?", "question"),
        ("You can return it within 60 days.", "claim"),
        ("Sorry, returns cost extra.", "claim"),
        ("Thanks for asking, delivery is free.", "claim"),
        ("Did you know returns are free?", "claim"),
        ("Is it not great that you get £5?", "claim"),
        ("Sure, all refunds are guaranteed.", "claim"),
        ("Delivery is free, isn't it?", "claim"),
        ("I can't find that, but returns are free.", "claim"),
        ("Hi, see www.evil.example for details?", "claim"),
        ("", "claim"),
    ],
)
def test_only_sure_courtesies_questions_and_abstentions_escape_being_claims(
    text: str, kind: str
) -> None:
    assert sentence_kind(text) == kind
