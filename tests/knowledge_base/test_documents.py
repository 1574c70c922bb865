"""PDF and Word files, the good and the bad."""

from __future__ import annotations

import time

import pytest

from knowledge_base.chunking import chunk
from knowledge_base.errors import BadArticle
from knowledge_base.readers import Reading, read_articles
from knowledge_base.readers.converter import Converter
from knowledge_base.readers.pdf import MAX_PAGES
from tests.knowledge_base.makers import docx, paragraph, pdf, protected, table, zip_bomb

PAGE = [
    (8, "Larkmoor handbook"),
    (20, "Returning a tent"),
    (11, "You can send a tent back within 60 days if it is dry and clean and in its bag, and"),
    (11, "the label is in the parcel."),
    (15, "What it costs"),
    (11, "- The label costs 3.50."),
    (11, "- A bulky tent costs 9.00."),
]


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """One folder with every kind of document, read once: the converter's start takes longest."""
    folder = tmp_path_factory.mktemp("documents")
    running = [
        [(8, f"Page {n} of 5"), (8, "Larkmoor handbook"), (11, f"This is the text of page {n}.")]
        for n in range(4)
    ]
    (folder / "tent.pdf").write_bytes(pdf([PAGE, *running]))
    (folder / "tent.pdf.yaml").write_text("id: tent-pdf\naudience: internal\n")
    (folder / "locked.pdf").write_bytes(protected(pdf([PAGE]), "secret"))
    (folder / "open.pdf").write_bytes(protected(pdf([PAGE]), ""))
    (folder / "scan.pdf").write_bytes(pdf([[]]))
    (folder / "torn.pdf").write_bytes(pdf([PAGE])[:300])
    (folder / "book.pdf").write_bytes(pdf([[(11, "x")]] * (MAX_PAGES + 1)))
    with (folder / "huge.pdf").open("wb") as stream:
        stream.write(b"%PDF-1.4\n")
        stream.truncate(200_000_000)
    rows = [["Country", "Price"], ["Germany", "4.95"]]
    body = paragraph("Delivery", "Heading1") + paragraph("We deliver.") + table(rows)
    (folder / "delivery.docx").write_bytes(docx(body))
    zip_bomb(folder / "bomb.docx", megabytes=300)
    (folder / "no.docx").write_bytes(b"not a zip archive")
    (folder / "good.md").write_text("# Good\n\nText.")
    reading = read_articles(folder, "s")
    return (
        {article.id: article for article in reading.articles},
        {failure.file: failure.reason for failure in reading.failures},
    )


def test_a_pdf_keeps_headings_paragraphs_and_lists(converted):
    text = converted[0]["tent-pdf"].text
    assert text.startswith("# Returning a tent\n\nYou can send a tent back")
    assert "in its bag, and the label is in the parcel." in text
    assert "## What it costs\n" in text
    assert "\n- The label costs 3.50.\n- A bulky tent costs 9.00." in text


def test_a_line_on_every_page_is_dropped(converted):
    text = converted[0]["tent-pdf"].text
    assert "handbook" not in text
    assert "of 5" not in text
    assert "This is the text of page 3." in text


def test_a_file_beside_a_document_holds_its_fields(converted):
    assert converted[0]["tent-pdf"].audience == "internal"
    assert converted[0]["tent-pdf"].title == "Returning a tent"


def test_a_word_document_keeps_headings_and_tables(converted):
    article = converted[0]["delivery"]
    assert article.title == "Delivery"
    assert "| Country | Price |\n|---|---|\n| Germany | 4.95 |" in article.text
    assert chunk(article)[0].text.startswith("We deliver.")


def test_a_pdf_that_opens_without_a_password_is_read(converted):
    assert "Returning a tent" in converted[0]["open"].title


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("locked.pdf", "protected by a password"),
        ("scan.pdf", "text recognition"),
        ("torn.pdf", "no readable PDF"),
        ("book.pdf", "501 pages; at most 500"),
        ("huge.pdf", "200 MB; at most 20 MB"),
        ("bomb.docx", "unpacks to 300 MB"),
        ("no.docx", "no Word document"),
    ],
)
def test_a_bad_document_is_reported_and_the_rest_is_read(converted, file, reason):
    articles, failures = converted
    assert reason in failures[file]
    assert "good" in articles
    assert len(failures) == 7


def test_a_document_that_takes_too_long_fails_alone(tmp_path):
    file = tmp_path / "slow.pdf"
    file.write_bytes(pdf([PAGE]))
    started = time.monotonic()
    with Converter(seconds=0.01) as converter:
        with pytest.raises(BadArticle, match="not converted within"):
            list(converter.read(file, "slow.pdf", Reading()))
    assert time.monotonic() - started < 5


def test_a_missing_converter_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("knowledge_base.readers.converter.find_spec", lambda name: None)
    (tmp_path / "a.pdf").write_bytes(pdf([PAGE]))
    (failure,) = read_articles(tmp_path, "s").failures
    assert "pip install -e '.[documents]'" in failure.reason
