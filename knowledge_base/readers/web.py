"""Web pages by address. Only http and https, only public networks unless allowed, within limits.

Each name is resolved once, every address it leads to is checked, and the connection goes to
the address that was checked: a name that changes its mind in between (DNS rebinding) gains
nothing. Redirects are followed by hand, each checked in the same way.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urljoin, urlsplit

from knowledge_base.article import Article, article_from
from knowledge_base.chunking import headings, slugify
from knowledge_base.decoding import decode
from knowledge_base.errors import BadArticle
from knowledge_base.fields import MAX_ID_CHARS
from knowledge_base.readers.base import Failure, Item, Reading, is_address, unreadable
from knowledge_base.readers.html import parse_page

if TYPE_CHECKING:
    import httpx

MAX_PAGE_BYTES = 5_000_000
PAGE_SECONDS = 20.0  # for one page with all its redirects
MAX_REDIRECTS = 5
MAX_ADDRESSES = 20_000
_PAGES = ("text/html", "application/xhtml+xml")
_TEXTS = ("text/plain", "text/markdown", "text/x-markdown")
_AGENT = "deskgate-knowledge-base"


def addresses_in(file: Path) -> list[str]:
    """The addresses of a list; empty when any line is neither an address nor a comment."""
    if file.stat().st_size > MAX_PAGE_BYTES:
        return []
    text, _ = decode(file.read_bytes())
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith("#")]
    return kept if all(is_address(line) and len(line.split()) == 1 for line in kept) else []


def is_list(file: Path) -> bool:
    """Whether most lines are addresses: one that is mistyped makes no article of the others."""
    if file.stat().st_size > MAX_PAGE_BYTES:
        return False
    lines = [line.strip() for line in decode(file.read_bytes())[0].splitlines()]
    kept = [line for line in lines if line and not line.startswith("#")]
    return bool(kept) and 2 * sum(map(is_address, kept)) > len(kept)


class Web:
    """Fetches pages one after the other over kept connections."""

    def __init__(self, allow_private: bool = False) -> None:
        self._allow_private = allow_private
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            self._client.close()

    def read(self, addresses: Sequence[str], reading: Reading) -> Iterator[Item | Failure]:
        """One article a page; what failed is named by its address."""
        if len(addresses) > MAX_ADDRESSES:
            raise BadArticle(f"{len(addresses):,} addresses; at most {MAX_ADDRESSES:,}")
        if find_spec("trafilatura") is None:
            raise BadArticle("reading web pages needs trafilatura; run: pip install -e '.[web]'")
        for address in dict.fromkeys(addresses):
            try:
                yield self._article(address, reading)
            except BadArticle as error:
                yield Failure(address, None, str(error))
            except Exception as error:  # noqa: BLE001 - one bad page is never fatal
                yield Failure(address, None, unreadable(error))

    def _article(self, address: str, reading: Reading) -> Article:
        final, kind, body = self.fetch(address)
        text, note = decode(body)
        reading.note(address, note)
        fields: dict[str, str] = {}
        title = ""
        if kind in _PAGES:
            page = parse_page(text)
            fields, title = page.fields, page.title
            text = _main_text(text, final) or page.text
        first = next((heading.text for heading in headings(text) if heading.level == 1), "")
        parts = urlsplit(final)
        path = unquote(f"{parts.path}-{parts.query}" if parts.query else parts.path)
        name = slugify(path.strip("/").replace("/", "-").replace(".", "-"))
        given = {
            "id": (name or slugify(parts.netloc.replace(".", "-")))[-MAX_ID_CHARS:],
            "title": first or title or name.replace("-", " "),
            "text": text,
            "url": final,
        }
        return article_from(given | fields, origin=address)

    def fetch(self, address: str) -> tuple[str, str, bytes]:
        """(final address, media type, content). Raises BadArticle."""
        import httpx

        if self._client is None:
            self._client = httpx.Client(
                trust_env=False,  # a proxy would resolve names by itself, past the check
                headers={"User-Agent": _AGENT, "Accept": "text/html,text/plain;q=0.9"},
                timeout=httpx.Timeout(PAGE_SECONDS / 2),
            )
        until = time.monotonic() + PAGE_SECONDS
        for _ in range(MAX_REDIRECTS + 1):
            request = self._request(self._client, address)
            try:
                response = self._client.send(request, stream=True)
                try:
                    if response.is_redirect:
                        address = urljoin(address, response.headers["location"])
                        continue
                    return address, *_content(response, until)
                finally:
                    response.close()
            except httpx.HTTPError as error:
                reason = str(error) or type(error).__name__
                raise BadArticle(f"cannot be fetched: {reason}") from None
        raise BadArticle(f"more than {MAX_REDIRECTS} redirects")

    def _request(self, client: httpx.Client, address: str) -> httpx.Request:
        """A request to a checked network address that still names the host."""
        import httpx

        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, ValueError) as error:
            raise BadArticle(f"{address!r} is no address: {error}") from None
        if url.scheme not in ("http", "https"):
            raise BadArticle(f"{url.scheme or 'no scheme'}: only http and https are read")
        host = url.host
        if not host or url.userinfo:
            raise BadArticle("an address needs a host name and no password")
        checked = self._resolved(host, url.port or (443 if url.scheme == "https" else 80))
        netloc = url.netloc.decode("ascii")
        return client.build_request(
            "GET",
            url.copy_with(host=checked),
            headers={"Host": netloc},
            extensions={"sni_hostname": host},
        )

    def _resolved(self, host: str, port: int) -> str:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise BadArticle(f"the host {host!r} is not known") from None
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            number = ipaddress.ip_address(address.split("%")[0])
            mapped = getattr(number, "ipv4_mapped", None) or number
            if not mapped.is_global and not self._allow_private:
                raise BadArticle(
                    f"{host} leads to {address}, a private network; "
                    "if that is meant, run sync with --allow-private"
                )
        return addresses[0]


def _content(response: httpx.Response, until: float) -> tuple[str, bytes]:
    if response.status_code != 200:
        raise BadArticle(f"answered {response.status_code} {response.reason_phrase}")
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in (*_PAGES, *_TEXTS):
        raise BadArticle(f"is {kind or 'of no stated type'}; only HTML and plain text are read")
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_PAGE_BYTES:
            raise BadArticle(f"more than {MAX_PAGE_BYTES / 1e6:.0f} MB")
        if time.monotonic() > until:
            raise BadArticle(f"not complete within {PAGE_SECONDS:.0f} s")
    return kind, body


def _main_text(html: str, address: str) -> str:
    """The page's main text as Markdown, without menus and notices; '' when none is found."""
    import trafilatura

    found: str | None = trafilatura.extract(
        html,
        url=address,
        output_format="markdown",
        include_comments=False,
        include_tables=True,
        include_links=False,
        favor_recall=True,
    )
    return found or ""
