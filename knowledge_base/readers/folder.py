"""Reads articles from a file, a folder or an address: one function per format behind one
interface.

A bad file or row becomes a ``Failure`` and is skipped; reading never stops for one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from knowledge_base.article import Article
from knowledge_base.curated import CuratedAnswer
from knowledge_base.errors import BadArticle, NothingToRead
from knowledge_base.readers.base import (
    MAX_FILE_BYTES,
    MAX_ROWS_FILE_BYTES,
    Failure,
    Item,
    Reader,
    Reading,
    is_address,
    unreadable,
)
from knowledge_base.readers.converter import Converter
from knowledge_base.readers.curated import is_curated, read_curated
from knowledge_base.readers.html import read_page
from knowledge_base.readers.markdown import read_markdown
from knowledge_base.readers.rows import read_csv, read_jsonl
from knowledge_base.readers.web import Web, addresses_in, is_list

T = TypeVar("T", Article, CuratedAnswer)

SUFFIXES = (
    *(".md", ".markdown", ".txt", ".html", ".htm", ".pdf", ".docx", ".jsonl", ".csv", ".urls"),
)
_ROWS = (".jsonl", ".csv")
Progress = Callable[[str, int, int], None]


def read_articles(
    path: Path | str,
    source: str,
    *,
    allow_private: bool = False,
    progress: Progress | None = None,
) -> Reading:
    """All articles and curated answers of a file, a folder or one http(s) address.

    ``allow_private`` lets addresses lead into a private network. Raises NothingToRead when
    the path does not exist or holds no file at all.
    """
    reading = Reading()
    with Web(allow_private) as web, Converter() as converter:
        readers = _Readers(web, converter)
        if isinstance(path, str) and is_address(path):
            found = readers.web.read([path], reading)
            _keep(found, source, reading)
            return reading
        path = Path(path)
        if not path.exists():
            raise NothingToRead(f"{path} does not exist")
        files = list(_files(path, reading))
        if not files and not reading.failures:
            raise NothingToRead(f"{path} holds no file to read; known kinds: {', '.join(SUFFIXES)}")
        _keep(_read_all(files, readers, reading, progress), source, reading)
    return reading


def _read_all(
    files: list[tuple[Path, str]],
    readers: _Readers,
    reading: Reading,
    progress: Progress | None,
) -> Iterator[Item | Failure]:
    for number, (file, name) in enumerate(files, start=1):
        yield from _read_file(file, name, readers, reading)
        if progress:
            progress("read", number, len(files))


class _Readers:
    """Which function reads which file."""

    def __init__(self, web: Web, converter: Converter) -> None:
        self.web = web
        self._by_suffix: dict[str, Reader] = {
            ".md": read_markdown,
            ".markdown": read_markdown,
            ".txt": self._text,
            ".urls": self._list,
            ".html": read_page,
            ".htm": read_page,
            ".jsonl": read_jsonl,
            ".csv": read_csv,
            ".pdf": converter.read,
            ".docx": converter.read,
        }

    def of(self, file: Path) -> Reader | None:
        suffix = file.suffix.lower()
        if suffix in _ROWS and is_curated(file):
            return read_curated
        return self._by_suffix.get(suffix)

    def _text(self, file: Path, name: str, reading: Reading) -> Iterator[Item | Failure]:
        """Plain text, or a list when most lines are addresses."""
        return (self._list if is_list(file) else read_markdown)(file, name, reading)

    def _list(self, file: Path, name: str, reading: Reading) -> Iterator[Item | Failure]:
        addresses = addresses_in(file)
        if not addresses:
            raise BadArticle("every line must be one http:// or https:// address, or a # comment")
        return self.web.read(addresses, reading)


def _keep(items: Iterator[Item | Failure], source: str, reading: Reading) -> None:
    articles: dict[str, Article] = {}
    curated: dict[str, CuratedAnswer] = {}
    for item in items:
        if isinstance(item, Failure):
            reading.failures.append(item)
        elif isinstance(item, Article):
            _once(replace(item, source=source), articles, reading)
        else:
            _once(replace(item, source=source), curated, reading)
    reading.articles = list(articles.values())
    reading.curated = list(curated.values())


def _once(item: T, seen: dict[str, T], reading: Reading) -> None:
    first = seen.setdefault(item.id, item)
    if first is not item:
        reason = f"id {item.id!r} is already used by {first.origin}"
        reading.failures.append(Failure.at(item.origin, reason))


def _files(path: Path, reading: Reading) -> Iterator[tuple[Path, str]]:
    """Files in a stable order. Hidden ones are left out; links may not lead outside."""
    if path.is_file():
        yield path, path.name
        return
    root = path.resolve()

    def closed(error: OSError) -> None:
        relative = Path(error.filename).relative_to(root).as_posix()
        reason = f"the folder cannot be read: {error.strerror}"
        reading.failures.append(Failure(relative, None, reason))

    for folder, folders, names in os.walk(root, onerror=closed):
        for name in sorted(folders):
            if (Path(folder) / name).is_symlink():
                relative = (Path(folder) / name).relative_to(root).as_posix()
                reading.failures.append(Failure(relative, None, "a linked folder is not followed"))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder) / name
            relative = file.relative_to(root).as_posix()
            if name.startswith("."):
                continue
            if not file.resolve().is_relative_to(root):
                reason = "the link leads outside the folder"
                reading.failures.append(Failure(relative, None, reason))
            elif file.suffix.lower() not in SUFFIXES:
                reading.note(relative, f"no reader for {file.suffix or name!r}")
            elif not file.is_file():
                reason = "not a regular file, or a dead link"
                reading.failures.append(Failure(relative, None, reason))
            else:
                yield file, relative


def _read_file(
    file: Path, name: str, readers: _Readers, reading: Reading
) -> Iterator[Item | Failure]:
    reader = readers.of(file)
    if reader is None:
        yield Failure(name, None, f"no reader for {file.suffix!r}")
        return
    limit = MAX_ROWS_FILE_BYTES if file.suffix.lower() in _ROWS else MAX_FILE_BYTES
    try:
        size = file.stat().st_size
        if size > limit:
            yield Failure(name, None, f"{size / 1e6:.0f} MB; at most {limit / 1e6:.0f} MB")
            return
        yield from reader(file, name, reading)
    except (OSError, BadArticle) as error:
        yield Failure(name, None, str(error))
    except Exception as error:  # noqa: BLE001 - one bad file is never fatal, whatever its parser says
        yield Failure(name, None, unreadable(error))
