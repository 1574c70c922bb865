from __future__ import annotations

import pytest

from knowledge_base.article import Article
from knowledge_base.locales import Locale, main_locale, serves, serving

ARTICLES = [
    Article("en-returns", "Returns", "Text.", locale="en-GB", url="https://x.org/hc/en-gb/1"),
    Article("en-stoves", "Stoves", "Text.", locale="en-GB"),
    Article("en-tents", "Tents", "Text.", locale="en-GB"),
    Article("de-returns", "Rückgabe", "Text.", locale="de"),
    Article("seven", "Retours", "Text.", locale="nl", url="https://x.org/hc/nl/1"),
    Article("us-tents", "Tents", "Text.", locale="en-US"),
]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("de", ("de", "")), ("en_GB.UTF-8", ("en", "GB")), ("EN-gb", ("en", "GB")),
     ("zh-Hant-TW", ("zh", "TW")), ("es-419", ("es", "419")), ("", ("", ""))],
)  # fmt: skip
def test_tags_are_read_in_all_spellings(tag, expected):
    assert (Locale.of(tag).language, Locale.of(tag).region) == expected


def test_a_region_serves_itself_and_customers_without_one():
    assert serves("en-GB", "en")
    assert serves("en", "en-GB")
    assert not serves("en-GB", "en-US")
    assert not serves("de", "en")


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en-GB", {"en-returns", "en-stoves", "en-tents"}),
        ("de-AT", {"de-returns", "en-stoves", "en-tents"}),
        ("nl", {"seven", "en-stoves", "en-tents"}),
        ("en-US", {"us-tents", "en-returns", "en-stoves"}),
        ("fr", {"en-returns", "en-stoves", "en-tents"}),
    ],
)
def test_a_customer_gets_the_own_locale_and_the_main_one_for_the_rest(locale, expected):
    assert serving(ARTICLES, locale) == expected


def test_the_main_locale_is_that_of_most_articles():
    assert main_locale(ARTICLES) == "en-GB"
    assert main_locale([]) == "en"


def test_a_snapshot_filters_by_locale(store, encoder):
    from knowledge_base.sync import sync_articles
    from tests.knowledge_base.conftest import TODAY

    sync_articles(store, encoder, ARTICLES, source="help")
    snapshot = store.current()
    mask = snapshot.allowed(("public",), TODAY, "de")
    shown = {c.article for c, allowed in zip(snapshot.chunks, mask, strict=True) if allowed}
    assert shown == {"de-returns", "en-stoves", "en-tents"}
    assert snapshot.allowed(("public",), TODAY).all()
