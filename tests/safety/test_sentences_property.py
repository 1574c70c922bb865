"""What the gate judges one by one is the same, however the model's answer was cut in pieces."""

from __future__ import annotations

import json
import random

from chatbot.answering.sentences import SentenceStream, split_sentences
from knowledge_base.readers import read_articles
from knowledge_base.settings import SAMPLE_COMPANY

ANSWERS = 1000
TRICKY = (
    "It costs €4.95, e.g. for boots. Ask Dr. Hall. ",
    "1. Open the app.\n2. Press Return.\n- Then wait 2.5 days.\n",
    "See https://larkmoor.example/a.b?c=d. Really?! Yes … maybe. ",
    "Versand dauert ca. 3 Tage, d.h. bis Freitag. Das kostet 4,95 €. ",
    "返品は60日以内です。交換もできます！はい？",
    'He said "No. 5 is out." (See p. 3.) [1] Then [2, 3]. ',
    "Mr. J. R. Smith vs. U.S. rules, approx. 5 kg. No. You cannot. ",
)


def answers() -> list[str]:
    dice = random.Random(5)
    folder = SAMPLE_COMPANY / "articles"
    sentences = [
        s
        for article in read_articles(folder, "sample").articles
        for s in split_sentences(article.text)
    ]
    found = []
    for number in range(ANSWERS):
        parts = dice.sample(sentences, dice.randint(1, 5))
        if number % 2:
            parts.insert(dice.randrange(len(parts) + 1), dice.choice(TRICKY))
        found.append(dice.choice((" ", "  ", "\n")).join(parts))
    return found


def test_a_stream_gives_the_sentences_of_the_whole_text_on_a_thousand_answers() -> None:
    dice = random.Random(7)
    for text in answers():
        stream, streamed, position = SentenceStream(), [], 0
        while position < len(text):
            size = dice.choice((1, 1, 2, 3, 5, 8, 40))
            streamed += stream.feed(text[position : position + size])
            position += size
        streamed += stream.finish()
        assert [s.strip() for s in streamed] == split_sentences(text), json.dumps(text)
        assert "".join(streamed) == text or not text[len("".join(streamed)) :].strip()


def test_no_sentence_is_lost_or_doubled() -> None:
    for text in answers()[:200]:
        assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
