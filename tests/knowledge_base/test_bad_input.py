"""Every row of bad input: a clear report, and the old snapshot keeps serving."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge_base.article import Article
from knowledge_base.chunking import chunk
from knowledge_base.embedding import Partial
from knowledge_base.errors import NothingToRead, SnapshotDamaged, SyncRunning
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles, sync_path
from tests.knowledge_base.corpus import write_corpus
from tests.knowledge_base.makers import pdf, protected, zip_bomb

ONE = Article("one", "Delivery", "Delivery takes two days.", origin="one.md")


@pytest.fixture
def serving(store, encoder):
    """A store that serves one article; ``folder`` is synced into it as the same source."""
    sync_articles(store, encoder, [ONE], source="folder")
    return store


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    return path


def empty(folder: Path) -> None:
    (folder / ".hidden.md").write_text("# Hidden\n\nText.")


def one_id_twice(folder: Path) -> None:
    (folder / "a.md").write_text("---\nid: same\n---\n# A\n\nText a.")
    (folder / "b.md").write_text("---\nid: same\n---\n# B\n\nText b.")


def circle(folder: Path) -> None:
    for name, older in (("a", "b"), ("b", "c"), ("c", "a")):
        text = f"---\nsupersedes: [{older}]\n---\n# {name}\n\nText {name}."
        (folder / f"{name}.md").write_text(text)


def huge(folder: Path) -> None:
    with (folder / "huge.pdf").open("wb") as stream:
        stream.write(b"%PDF-1.7\n")
        stream.truncate(200_000_000)


def locked(folder: Path) -> None:
    (folder / "locked.pdf").write_bytes(protected(pdf([[(11, "Text.")]]), "secret"))


def bomb(folder: Path) -> None:
    zip_bomb(folder / "bomb.docx", megabytes=250)


def outside(folder: Path) -> None:
    secret = folder.parent / "secret.md"
    secret.write_text("# Secret\n\nThe safe's number is 1234.")
    (folder / "link.md").symlink_to("../secret.md")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (empty, "holds no file to read"),
        (circle, "supersedes in a circle: a -> b -> c -> a"),
        (huge, "200 MB; at most 20 MB"),
        (locked, "is protected by a password"),
        (bomb, "unpacks to 250 MB"),
        (outside, "the link leads outside the folder"),
    ],
)
def test_nothing_bad_is_served_and_the_old_snapshot_stays(serving, encoder, folder, make, reason):
    before = serving.current_name()
    make(folder)
    try:
        report = sync_path(serving, encoder, folder, source="folder")
        said = "; ".join(map(str, report.failed))
    except NothingToRead as error:
        said = str(error)
    assert reason in said
    assert SnapshotStore(serving.root).current_name() == before
    assert set(serving.current().articles) == {"one"}


def test_of_two_files_with_one_id_the_first_counts(serving, encoder, folder):
    one_id_twice(folder)
    report = sync_path(serving, encoder, folder, source="folder")
    assert [str(failure) for failure in report.failed] == [
        "b.md: id 'same' is already used by a.md"
    ]
    assert serving.current().articles["same"].title == "A"


def test_a_path_with_dots_is_named_as_it_lies(serving, encoder, folder):
    (folder / "good.md").write_text("# Good\n\nText.")
    report = sync_path(serving, encoder, folder / ".." / "folder", source="folder")
    assert report.added == ("good",)
    assert serving.current().articles["good"].origin == "good.md"


def test_scripts_of_a_page_never_become_text(serving, encoder, folder):
    (folder / "page.html").write_text(
        "<title>Fees</title><h1>Fees</h1><p onclick='steal()'>Two pounds.<script>steal()</script>"
        "<style>p{}</style><a href='javascript:steal()'>More</a></p><noscript>steal</noscript>"
    )
    sync_path(serving, encoder, folder, source="folder")
    assert serving.current().articles["page"].text == "# Fees\n\nTwo pounds.More"


def test_files_of_different_encodings_are_read_side_by_side(serving, encoder, folder):
    for name, encoding in (("a", "utf-8"), ("b", "utf-16"), ("c", "latin-1"), ("d", "utf-8-sig")):
        (folder / f"{name}.md").write_bytes(f"# Größe {name}\n\nFür £5.".encode(encoding))
    (folder / "e.md").write_bytes(b"\x00\x01\x02\xff")
    report = sync_path(serving, encoder, folder, source="folder")
    titles = {article.title for article in serving.current().articles.values()}
    assert titles == {"Delivery", "Größe a", "Größe b", "Größe c", "Größe d"}
    assert [failure.file for failure in report.failed] == ["e.md"]
    assert [note.file for note in report.notes] == ["c.md"]


def command(folder: Path, data_dir: Path) -> list[str]:
    start = [sys.executable, "-m", "knowledge_base", "sync", str(folder)]
    return [*start, "--source", "folder", "--data-dir", str(data_dir)]


def test_a_killed_sync_serves_the_old_and_the_next_one_goes_on(tmp_path, encoder, folder):
    data_dir = tmp_path / "data"
    store = SnapshotStore(data_dir / "knowledge")
    sync_articles(store, encoder, [ONE], source="folder")
    write_corpus(folder, 60)
    partial = Partial(store.root, encoder)
    plain = {"HF_HUB_OFFLINE": "1", "CHATBOT_ENCODER_ENGINE": "torch"}  # nothing to compile
    process = subprocess.Popen(command(folder, data_dir), env=os.environ | plain)
    while process.poll() is None and not partial.read():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(partial.read())
    assert kept > 0
    assert set(SnapshotStore(store.root).current().articles) == {"one"}
    report = sync_path(store, encoder, folder, source="folder")
    assert len(report.added) == 60
    assert report.embedded == 60 * 5 - kept
    assert not list((store.root / "snapshots").glob(".building-*"))


def test_two_syncs_at_once_are_refused_with_the_holder(serving, encoder, folder, tmp_path):
    (folder / "good.md").write_text("# Good\n\nText.")
    with serving.writing():
        with pytest.raises(SyncRunning, match=rf"process {os.getpid()}"):
            sync_path(SnapshotStore(serving.root), encoder, folder)
    assert sync_path(serving, encoder, folder).added == ("good",)


def test_a_damaged_snapshot_after_a_restart_leaves_the_one_before_serving(serving, encoder):
    first = serving.current_name()
    second = sync_articles(serving, encoder, [replace(ONE, text="New.")], source="folder").snapshot
    (serving.root / "snapshots" / second / "articles.jsonl").write_text("torn")
    restarted = SnapshotStore(serving.root)
    assert restarted.current().name == first
    assert f"{second}" in (restarted.problem or "")
    assert "articles.jsonl differs" in (restarted.problem or "")


def test_a_sync_mends_what_is_damaged(serving, encoder):
    changed = replace(ONE, text="New.")
    second = sync_articles(serving, encoder, [changed], source="folder").snapshot
    (serving.root / "snapshots" / second / "vectors.npy").unlink()
    report = sync_articles(SnapshotStore(serving.root), encoder, [changed], source="folder")
    assert "vectors.npy" in report.notes[0].reason
    mended = SnapshotStore(serving.root)
    assert mended.current().articles["one"].text == "New."
    assert mended.problem is None


def test_with_nothing_intact_the_damage_is_named(serving):
    for path in (serving.root / "snapshots").glob("*/manifest.json"):
        path.write_text(json.dumps({"format": 1, "files": {"chunks.jsonl": "0"}}))
    with pytest.raises(SnapshotDamaged, match=r"chunks\.jsonl differs"):
        SnapshotStore(serving.root).current()


def test_unchanged_articles_keep_their_chunks(serving, encoder):
    sync_articles(serving, encoder, [Article("two", "Two", "Text.")], source="folder")
    chunks = serving.current().chunks
    assert [item for article in serving.current().articles.values() for item in chunk(article)] == [
        *chunks
    ]
