"""What a sync makes of the entries that serve and of those that a source holds now.

Articles and curated answers follow the same rules: an id belongs to one source, what a source
no longer holds goes only when asked (``prune``), and what has just failed to be read stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from knowledge_base.article import Article
from knowledge_base.curated import CuratedAnswer
from knowledge_base.readers import Failure
from knowledge_base.readers.base import LISTS, file_of

T = TypeVar("T", Article, CuratedAnswer)


@dataclass(frozen=True)
class Changes:
    """Ids, sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0

    @property
    def count(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed)

    @classmethod
    def between(cls, before: Mapping[str, T], after: Mapping[str, T]) -> Changes:
        both = after.keys() & before.keys()
        changed = sorted(i for i in both if after[i].version != before[i].version)
        return cls(
            added=tuple(sorted(after.keys() - before.keys())),
            changed=tuple(changed),
            removed=tuple(sorted(before.keys() - after.keys())),
            unchanged=len(both) - len(changed),
        )


def accepted_from(
    items: Iterable[T], before: Mapping[str, T], source: str, failures: list[Failure]
) -> dict[str, T]:
    """This source's entries by id; ids that belong to another source are refused."""
    accepted: dict[str, T] = {}
    for item in items:
        owner = before[item.id].source if item.id in before else source
        if owner != source:
            reason = f"id {item.id!r} belongs to source {owner!r}; sync it with --source {owner}"
            failures.append(Failure.at(item.origin or item.id, reason))
        elif item.id in accepted:
            failures.append(Failure.at(item.origin, f"id {item.id!r} is used twice"))
        else:
            accepted[item.id] = replace(item, source=source)
    return accepted


def merged(
    before: Mapping[str, T],
    accepted: Mapping[str, T],
    *,
    source: str,
    remove: Collection[str],
    prune: bool,
    failures: Iterable[Failure],
) -> dict[str, T]:
    """``before`` with the accepted entries, without those to remove or prune."""
    after = dict(before) | dict(accepted)
    unread = tuple(failure.file for failure in failures)
    for identity, item in before.items():
        if item.source != source or identity in accepted:
            continue
        if identity in remove or (prune and not _may_be_there(file_of(item.origin), unread)):
            del after[identity]
    return after


def _may_be_there(file: str, unread: Collection[str]) -> bool:
    """Whether an entry was not seen because its file, its folder or the list of its page could
    not be read."""
    listed = "://" in file and any(name.endswith(LISTS) for name in unread)
    return listed or any(file == name or file.startswith(f"{name}/") for name in unread)


def without_cycles(
    after: Mapping[str, Article],
    before: Mapping[str, Article],
    accepted: Collection[str],
    failures: list[Failure],
) -> dict[str, Article]:
    """Refuses articles that supersede each other in a circle: their former version stays."""
    result = dict(after)
    for identity in accepted:
        cycle = _cycle(result, identity)
        for member in cycle:
            if member not in accepted:
                continue
            path = " -> ".join([*cycle, cycle[0]])
            origin = result[member].origin or member
            failures.append(Failure.at(origin, f"supersedes in a circle: {path}"))
            result.pop(member)
            former = before.get(member)
            if former is not None and not _cycle(result | {member: former}, member):
                result[member] = former
    return result


def linked(
    answers: Mapping[str, CuratedAnswer],
    before: Mapping[str, CuratedAnswer],
    articles: Mapping[str, Article],
    failures: list[Failure],
    notes: list[Failure],
) -> dict[str, CuratedAnswer]:
    """Without curated answers whose article is not there: a new one has failed, one that served
    goes with its article, which is noted."""
    result = dict(answers)
    for identity, answer in answers.items():
        if answer.article is None or answer.article in articles:
            continue
        result.pop(identity)
        origin = answer.origin or identity
        named = f"curated answer {identity!r}"
        if identity in before and before[identity].version == answer.version:
            notes.append(Failure.at(origin, f"{named} goes with its article {answer.article!r}"))
        else:
            reason = f"{named} links article {answer.article!r}, which is not there"
            failures.append(Failure.at(origin, reason))
    return result


def _cycle(articles: Mapping[str, Article], start: str) -> list[str]:
    """Ids of a circle of ``supersedes`` through ``start``, or an empty list."""
    stack = [(start, [start])]
    seen: set[str] = set()
    while stack:
        identity, path = stack.pop()
        for older in articles[identity].supersedes if identity in articles else ():
            if older == start:
                return path
            if older not in seen:
                seen.add(older)
                stack.append((older, [*path, older]))
    return []
