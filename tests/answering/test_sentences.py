from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.answering.sentences import SentenceStream, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It is free. It takes 3 days.", ["It is free.", "It takes 3 days."]),
        ("Ask Mr. Hill or Dr. Voss. They know.", ["Ask Mr. Hill or Dr. Voss.", "They know."]),
        ("It costs £4.50 a day. See below.", ["It costs £4.50 a day.", "See below."]),
        ("Bring e.g. Visa or a passport. Thanks!", ["Bring e.g. Visa or a passport.", "Thanks!"]),
        ("See www.larkmoor.example/a.b. Then go.", ["See www.larkmoor.example/a.b.", "Then go."]),
        ("Within 60 days [1]. Free [2][3].", ["Within 60 days [1].", "Free [2][3]."]),
        ("Within 60 days. [1] Free! [2, 3] Bye.", ["Within 60 days. [1]", "Free! [2, 3]", "Bye."]),
        ("1. Open it.\n2. Close it.", ["1. Open it.", "2. Close it."]),
        ("Do this:\n- one\n- two", ["Do this:", "- one", "- two"]),
        ("No. You cannot. No. 5 can.", ["No.", "You cannot.", "No. 5 can."]),
        ("Open at 9 a.m. on Friday. Closed later.", ["Open at 9 a.m. on Friday.", "Closed later."]),
        ('She said "Stop!" Then she left.', ['She said "Stop!"', "Then she left."]),
        ("Wait... Really? Yes.", ["Wait...", "Really?", "Yes."]),
        ("これは無料です。三日かかります。", ["これは無料です。", "三日かかります。"]),
        ("no end at all", ["no end at all"]),
        ("", []),
    ],
)
def test_a_text_falls_into_its_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


WORDS = ["It is free", "Mr. ", "No. ", "A. ", "1. ", "e.g. ", " and", "£4.50", "x", "3", "- "]
ENDS = [". ", "! ", "?", "...", "。", '"', ")", " [1]", "[2]", " [1, 2].", " [", "]"]
PIECES = st.sampled_from([*WORDS, *ENDS, "  ", "\n", "\n\n"])


@given(st.lists(PIECES, max_size=25).map("".join), st.data())
def test_any_cutting_gives_the_sentences_of_the_whole(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    stream = SentenceStream()
    found: list[str] = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += stream.feed(text[start:end])
    found += stream.finish()
    assert [sentence.strip() for sentence in found] == split_sentences(text)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_no_character_is_lost(text: str) -> None:
    stream = SentenceStream()
    joined = "".join([*stream.feed(text), *stream.finish()])
    assert joined == text or (text.startswith(joined) and not text[len(joined) :].strip())


def test_a_sentence_waits_until_its_end_is_sure() -> None:
    stream = SentenceStream()
    assert stream.feed("It costs £4.") == []
    assert stream.feed("50 a day.") == []
    assert stream.feed(" [1") == []
    assert stream.feed("] And") == ["It costs £4.50 a day. [1]"]
    assert stream.finish() == [" And"]


def test_a_text_without_an_end_is_cut_in_the_end() -> None:
    assert len(split_sentences("word " * 2000)) > 5
