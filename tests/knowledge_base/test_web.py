"""Web pages by address, from a real server in this process."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from knowledge_base.readers import read_articles
from knowledge_base.readers import web as limits

PAGE = """<html lang="de"><head><title>Rückgabe | Shop</title></head><body>
<nav><a href="/">Start</a><a href="/a">Alle Artikel</a></nav>
<main><article><h1>Rückgabe</h1>
<p>Sie können jeden Artikel innerhalb von 60 Tagen nach der Lieferung zurückgeben, solange er
ungetragen ist und alle Etiketten noch daran hängen.</p>
<script>steal()</script>
<table><tr><th>Land</th><th>Preis</th></tr><tr><td>Irland</td><td>5,95</td></tr></table>
<p>Das Geld kommt innerhalb von fünf Werktagen zurück auf Ihr Konto.</p></article></main>
<footer>Impressum und Datenschutz</footer></body></html>"""


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
        elif self.path == "/moved":
            self.send_response(301)
            self.send_header("Location", "/hc/returns")
            self.end_headers()
        elif self.path == "/hc/returns":
            self._send("text/html; charset=utf-8", PAGE.encode())
        elif self.path == "/plain.txt":
            self._send("text/plain", b"# Plain\n\nText.")
        elif self.path == "/big":
            self._send("text/html", b"x" * 100_000)
        elif self.path == "/image":
            self._send("image/png", b"\x89PNG")
        else:
            self.send_error(404)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Tests print nothing."""


@pytest.fixture(scope="module")
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_becomes_an_article_without_its_menus(site):
    (article,) = read_articles(f"{site}/moved", "help", allow_private=True).articles
    assert (article.id, article.title, article.locale) == ("hc-returns", "Rückgabe", "de")
    assert article.url == f"{site}/hc/returns"
    assert article.origin == f"{site}/moved"
    assert "60 Tagen" in article.text
    assert "Irland" in article.text
    for noise in ("Alle Artikel", "steal", "Impressum"):
        assert noise not in article.text


def test_a_list_of_addresses_is_read_line_by_line(site, tmp_path):
    lines = ["# our pages", f"{site}/hc/returns", "", f"{site}/plain.txt", f"{site}/nothing"]
    (tmp_path / "pages.txt").write_text("\n".join(lines))
    reading = read_articles(tmp_path, "help", allow_private=True)
    assert [article.title for article in reading.articles] == ["Rückgabe", "Plain"]
    (failure,) = reading.failures
    assert (failure.file, failure.reason) == (f"{site}/nothing", "answered 404 Not Found")


def test_a_page_that_breaks_its_parser_leaves_the_others(site, tmp_path, monkeypatch):
    def broken(_text: str) -> None:
        raise AssertionError("unknown status keyword")

    monkeypatch.setattr("knowledge_base.readers.web.parse_page", broken)
    (tmp_path / "pages.urls").write_text(f"{site}/hc/returns\n{site}/plain.txt\n")
    reading = read_articles(tmp_path, "help", allow_private=True)
    assert [article.title for article in reading.articles] == ["Plain"]
    assert "cannot be read: AssertionError" in reading.failures[0].reason


def test_a_mistyped_address_makes_no_article_of_a_list(tmp_path):
    (tmp_path / "pages.txt").write_text("https://example.com/a\nhttps://example.com/b\nhtps:/c\n")
    reading = read_articles(tmp_path, "s")
    assert reading.articles == []
    assert "every line must be one" in reading.failures[0].reason


def test_a_text_with_prose_is_no_list(tmp_path):
    (tmp_path / "note.txt").write_text("See https://example.com for more.")
    assert read_articles(tmp_path, "s").articles[0].id == "note"


def test_a_list_with_a_line_that_is_no_address_is_refused(tmp_path):
    (tmp_path / "pages.urls").write_text("https://example.com\nexample.org\n")
    (failure,) = read_articles(tmp_path, "s").failures
    assert "every line must be one http:// or https:// address" in failure.reason


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "http://169.254.169.254/",
     "http://10.0.0.1/", "http://[::ffff:127.0.0.1]:9/", "http://0.0.0.0:9/", "http://2130706433/"],
)  # fmt: skip
def test_private_networks_are_refused_unless_allowed(address):
    (failure,) = read_articles(address, "s").failures
    assert "private network" in failure.reason
    assert "--allow-private" in failure.reason


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("away", "only http and https are read"),
        ("loop", "more than 5 redirects"),
        ("image", "is image/png; only HTML and plain text are read"),
    ],
)
def test_pages_that_lead_astray_are_refused(site, path, reason):
    (failure,) = read_articles(f"{site}/{path}", "s", allow_private=True).failures
    assert reason in failure.reason


def test_a_page_over_the_limit_is_cut_off(site, monkeypatch):
    monkeypatch.setattr(limits, "MAX_PAGE_BYTES", 50_000)
    (failure,) = read_articles(f"{site}/big", "s", allow_private=True).failures
    assert "more than" in failure.reason


def test_a_password_in_an_address_is_refused():
    (failure,) = read_articles("https://user:secret@example.com/", "s").failures
    assert "no password" in failure.reason


def test_a_host_that_nobody_knows_is_named():
    (failure,) = read_articles("https://nobody.invalid/", "s").failures
    assert failure.reason == "the host 'nobody.invalid' is not known"
