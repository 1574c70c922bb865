"""An article's page has the anchors that citations link to."""

from __future__ import annotations

from chatbot.web.pages import _rendered
from knowledge_base.article import Article
from knowledge_base.chunking import chunk

TEXT = """First steps.

## Steps

Do one thing.

## Returns & refunds

> ## Quoted
>
> Said by somebody.

## Steps

Do another thing.

##### Small print

Read it.
"""


def test_each_citation_leads_to_a_heading_of_its_own() -> None:
    page = _rendered(TEXT)
    anchors = [one.anchor for one in chunk(Article("a", "A", TEXT)) if one.anchor]
    assert "steps-1" in anchors
    for anchor in anchors:
        assert page.count(f' id="{anchor}"') == 1


def test_html_in_an_article_stays_text() -> None:
    assert "<script>" not in _rendered("## Hi\n\n<script>alert(1)</script>")
