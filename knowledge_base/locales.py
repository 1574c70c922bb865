"""Which articles serve a customer's locale (BCP 47 tags such as ``de`` or ``de-CH``).

A customer gets the articles of the own language and, for what these do not cover, those of the
help centre's main locale. An article of the main locale steps back when it has a counterpart:
the same id, address or title once the locale is taken out (``de/returns.md`` and
``en/returns.md``; ``/hc/en-gb/articles/7`` and ``/hc/de/articles/7``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from knowledge_base.article import Article


@dataclass(frozen=True)
class Locale:
    language: str
    region: str

    @classmethod
    def of(cls, tag: str) -> Locale:
        """``en_GB.UTF-8`` and ``EN-gb`` are ``en-GB``; a script subtag is passed over."""
        parts = re.split(r"[-_]", tag.split(".", maxsplit=1)[0].strip())
        region = next(
            (part.upper() for part in parts[1:] if re.fullmatch(r"\w{2}|\d{3}", part)), ""
        )
        return cls(parts[0].lower(), region)


def serves(article: str, customer: str) -> bool:
    """Same language, and no other region than the customer's."""
    ours, theirs = Locale.of(article), Locale.of(customer)
    if ours.language != theirs.language:
        return False
    return not ours.region or not theirs.region or ours.region == theirs.region


def main_locale(articles: Iterable[Article]) -> str:
    """The tag of most articles; 'en' for none."""
    counts = Counter(article.locale for article in articles)
    return counts.most_common(1)[0][0] if counts else "en"


def serving(articles: Iterable[Article], customer: str) -> set[str]:
    """Ids of the articles for a customer's locale. ``articles`` are those that may be shown."""
    articles = list(articles)
    main = main_locale(articles)
    own = [article for article in articles if serves(article.locale, customer)]
    covered = {key for article in own for key in _keys(article)}
    ids = {article.id for article in own}
    for article in articles:
        if serves(article.locale, main) and not covered & _keys(article):
            ids.add(article.id)
    return ids


def _keys(article: Article) -> set[str]:
    """What an article has in common with its translations."""
    locale = Locale.of(article.locale)
    tags = {locale.language, f"{locale.language}-{locale.region}".lower()}
    keys = {f"id:{_without(article.id, tags)}", f"title:{article.title.casefold()}"}
    if article.url:
        keys.add(f"url:{_without(article.url, tags)}")
    return keys


def _without(name: str, tags: set[str]) -> str:
    """Without path segments or hyphenated ends that name the locale."""
    name = name.lower().replace("_", "-")
    for tag in sorted(tags, key=len, reverse=True):
        name = re.sub(rf"(?:(?<=^)|(?<=[/.-])){re.escape(tag)}(?=$|[/.-])", "", name)
    return re.sub(r"[/.-]+", "-", name).strip("-")
