from __future__ import annotations

import json
from datetime import date

import pytest

from knowledge_base.errors import NothingToRead
from knowledge_base.readers import read_articles


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_front_matter_names_the_fields(tmp_path):
    write(tmp_path, "a.md", "---\nid: x\ntitle: T\naudience: internal\nvalid_from: 2026-01-01\n"
          "valid_until: '2026-02-01'\nsupersedes: [y]\ntags: [a, b]\n---\nBody.")  # fmt: skip
    (article,) = read_articles(tmp_path, "s").articles
    assert (article.id, article.title, article.audience) == ("x", "T", "internal")
    assert (article.valid_from, article.valid_until) == (date(2026, 1, 1), date(2026, 2, 1))
    assert (article.supersedes, article.tags, article.source) == (("y",), ("a", "b"), "s")


def test_id_and_title_come_from_path_and_heading_when_not_given(tmp_path):
    write(tmp_path, "billing/refund-times.md", "# When refunds arrive\n\nIn 5 days.")
    (article,) = read_articles(tmp_path, "s").articles
    assert (article.id, article.title) == ("billing-refund-times", "When refunds arrive")


def test_rows_of_jsonl_and_csv_become_articles(tmp_path):
    write(tmp_path, "a.jsonl", json.dumps({"id": "j", "title": "J", "text": "Body"}) + "\n")
    write(tmp_path, "b.csv", 'question,answer\n"How long, please?",Two days\n')
    articles = {article.id: article for article in read_articles(tmp_path, "s").articles}
    assert articles["j"].text == "Body"
    assert articles["b-how-long-please"].title == "How long, please?"


def test_html_keeps_structure_and_drops_scripts(tmp_path):
    write(tmp_path, "a.html", "<html><head><title>T</title><script>evil()</script></head><body>"
          "<nav>Menu</nav><h1>Fees</h1><p>It costs <b>£2</b>.</p><ul><li>one<li>two</ul>"
          "<table><tr><th>A<th>B<tr><td>1</td><td>2</td></tr></table></body></html>")  # fmt: skip
    (article,) = read_articles(tmp_path, "s").articles
    assert article.title == "Fees"
    assert "It costs £2." in article.text
    assert "- one\n- two" in article.text
    assert "evil" not in article.text
    assert "Menu" not in article.text


@pytest.mark.parametrize(
    ("name", "content", "line", "reason"),
    [
        ("a.md", "---\ntitle: [\n---\nText", 2, "front matter"),
        ("a.md", "---\nvalid_until: soon\n---\nText", None, "YYYY-MM-DD"),
        ("a.md", "---\nvalid_untill: 2026-01-01\n---\nText", None, "did you mean 'valid_until'"),
        ("a.md", "---\naudience: secret\n---\nText", None, "'public' or 'internal'"),
        ("a.md", "", None, "text is empty"),
        ("a.md", b"\x00\x01\x02", None, "binary"),
        ("a.jsonl", '{"id": "a"}\n', 1, "title is missing"),
        ("a.jsonl", '{"id": "a"', 1, "not JSON"),
        ("a.jsonl", "[1]", 1, "a JSON object is expected"),
        ("a.csv", "x,y\n1,2\n", 1, "columns must be"),
        ("a.csv", 'question,"answer\n', 1, "not valid CSV"),
        ("a.html", "<p>Text</p><![foo[bar]]>", None, "cannot be read: AssertionError"),
        ("a.md", f"---\ntags: {'[' * 5000}\n---\nText", None, "cannot be read: RecursionError"),
    ],
)
def test_a_bad_file_or_row_is_reported_and_skipped(tmp_path, name, content, line, reason):
    write(tmp_path, name, content)
    write(tmp_path, "good.md", "# Good\n\nText.")
    reading = read_articles(tmp_path, "s")
    assert [article.id for article in reading.articles] == ["good"]
    (failure,) = reading.failures
    assert (failure.file, failure.line) == (name, line)
    assert reason in failure.reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marked_encodings_are_read_in_silence(tmp_path, encoding):
    write(tmp_path, "a.md", "# Größe\n\nFür £5.".encode(encoding))
    reading = read_articles(tmp_path, "s")
    assert reading.articles[0].title == "Größe"
    assert reading.notes == []


def test_an_assumed_encoding_is_noted(tmp_path):
    write(tmp_path, "a.md", "# Größe\n\nFür £5.".encode("latin-1"))
    reading = read_articles(tmp_path, "s")
    assert reading.articles[0].title == "Größe"
    assert "Windows-1252" in reading.notes[0].reason


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    secret = write(tmp_path, "secret.md", "# Secret\n\nText.")
    folder = tmp_path / "articles"
    write(folder, "good.md", "# Good\n\nText.")
    (folder / "link.md").symlink_to(secret)
    (folder / "up").symlink_to(tmp_path)
    reading = read_articles(folder, "s")
    assert [article.id for article in reading.articles] == ["good"]
    assert {failure.file for failure in reading.failures} == {"link.md", "up"}


def test_a_repeated_id_is_reported_with_the_first_place(tmp_path):
    row = json.dumps({"id": "a", "title": "A", "text": "Text"})
    write(tmp_path, "a.jsonl", f"{row}\n{row}\n")
    reading = read_articles(tmp_path, "s")
    assert len(reading.articles) == 1
    assert str(reading.failures[0]) == "a.jsonl:2: id 'a' is already used by a.jsonl:1"


def test_a_path_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(NothingToRead, match="does not exist"):
        read_articles(tmp_path / "nowhere", "s")
