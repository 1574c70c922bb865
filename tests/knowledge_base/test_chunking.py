from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.article import Article
from knowledge_base.blocks import TARGET_WORDS
from knowledge_base.chunking import MAX_TOKENS, chunk, headings, slugify
from knowledge_base.encoder import MAX_TOKENS as ENCODER_TOKENS
from knowledge_base.readers import read_articles
from knowledge_base.settings import SAMPLE_COMPANY


def article(text: str, title: str = "Title") -> Article:
    return Article("a", title, text)


def test_each_heading_has_its_own_chunk_with_its_path_and_anchor():
    chunks = chunk(article("Intro.\n\n## Fees & costs\n\nFive.\n\n### In Ireland\n\nSix."))
    assert [(c.heading, c.anchor, c.text) for c in chunks] == [
        ("", "", "Intro."),
        ("Fees & costs", "fees--costs", "Five."),
        ("Fees & costs > In Ireland", "in-ireland", "Six."),
    ]
    assert chunks[2].embedded == "Title > Fees & costs > In Ireland\nSix."


def test_a_heading_that_repeats_the_title_adds_nothing():
    assert [c.heading for c in chunk(article("# Title\n\nText."))] == [""]


def test_lists_and_tables_stay_whole_when_they_fit():
    steps = "\n".join(f"{n}. Press the button number {n} for a while." for n in range(1, 13))
    chunks = chunk(article(f"Do this:\n\n{steps}"))
    assert [c.text for c in chunks] == [f"Do this:\n\n{steps}"]


def test_a_long_table_repeats_its_head():
    rows = "\n".join(f"| Country number {n} | {n} euros and {n} cents |" for n in range(80))
    chunks = chunk(article(f"| Country | Price |\n|---|---|\n{rows}"))
    assert len(chunks) > 3
    assert all(c.text.startswith("| Country | Price |\n|---|---|\n") for c in chunks)
    assert sum(c.text.count("Country number") for c in chunks) == 80


def test_long_prose_is_cut_between_sentences_near_the_target():
    chunks = chunk(article(" ".join(f"This is sentence number {n} of many." for n in range(200))))
    assert all(c.text.endswith("many.") for c in chunks)
    assert all(len(c.text.split()) <= TARGET_WORDS for c in chunks)


def test_anchors_are_those_of_github():
    assert slugify("What's new in **2026**?") == "whats-new-in-2026"
    text = "## Fees\n\na\n\n## Fees\n\nb"
    assert [heading.anchor for heading in headings(text)] == ["fees", "fees-1"]


def test_no_chunk_of_the_sample_company_is_cut_off_by_the_encoder(encoder):
    tokenizer = encoder.files.tokenizer()
    articles = read_articles(Path(SAMPLE_COMPANY) / "articles", "sample").articles
    longest = max(len(tokenizer(c.embedded)["input_ids"]) for a in articles for c in chunk(a))
    assert longest <= ENCODER_TOKENS
    assert MAX_TOKENS < ENCODER_TOKENS


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab #-|\n.`*1é漢", min_size=1, max_size=600).filter(str.strip))
def test_no_word_is_lost(text):
    chunks = chunk(article(text.strip()))
    joined = " ".join(f"{c.heading} {c.text}" for c in chunks)
    for word in ("漢", "é", "a"):
        if word in text:
            assert word in joined or word in " ".join(h.text for h in headings(text))


def test_each_part_of_a_cut_table_keeps_the_names_of_its_columns():
    cells = " | ".join(f"a long cell of row {{n}} column {c}" for c in range(6))
    rows = "\n".join(f"| {cells.format(n=n)} |" for n in range(12))
    head = "| Country | Price | Days | Hours | Weight | Note |\n|---|---|---|---|---|---|\n"
    chunks = chunk(article(head + rows))
    assert len(chunks) > 3
    assert all(c.text.startswith(head) for c in chunks)
    assert all(line.count("|") == 7 for c in chunks for line in c.text.splitlines())


def test_a_row_too_long_for_one_chunk_is_cut_between_words_and_stays_a_row():
    row = f"| Germany | {'very long words about delivery ' * 80}|"
    chunks = chunk(article(f"| Country | Note |\n|---|---|\n{row}"))
    assert len(chunks) > 1
    for part in chunks:
        first, second, *rest = part.text.splitlines()
        assert (first, second) == ("| Country | Note |", "|---|---|")
        assert all(line.startswith("| Germany | ") and line.endswith("|") for line in rest)


def test_a_list_that_is_cut_repeats_the_line_that_introduces_it():
    items = "\n".join(f"- Step number {n} says to press the button for a while." for n in range(40))
    chunks = chunk(article(f"To reset the lamp:\n\n{items}"))
    assert len(chunks) > 2
    assert all(c.text.startswith("To reset the lamp:\n\n- Step") for c in chunks)
