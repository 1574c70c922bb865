from __future__ import annotations

from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

from knowledge_base.article import Article
from knowledge_base.curated import CuratedAnswer
from knowledge_base.errors import NoSnapshot, NothingToRead, SnapshotDamaged, SyncRunning
from knowledge_base.merging import merged
from knowledge_base.readers import Failure
from knowledge_base.retriever import Retriever
from knowledge_base.store import KEPT, SnapshotStore
from knowledge_base.sync import source_of, sync_articles, sync_path

ONE = Article("one", "Delivery", "Delivery takes two days.")
TWO = Article("two", "Returns", "Returns are free.")


def sync(store, encoder, *articles, source="help", **options):
    return sync_articles(store, encoder, articles, source=source, **options)


def test_a_report_says_what_was_added_changed_and_removed(store, encoder):
    assert sync(store, encoder, ONE, TWO).added == ("one", "two")
    changed = replace(ONE, text="Delivery takes three days.")
    report = sync(store, encoder, changed, prune=True)
    assert (report.changed, report.removed, report.unchanged) == (("one",), ("two",), 0)
    assert set(store.current().articles) == {"one"}


def test_only_changed_chunks_are_embedded(store, encoder):
    sync(store, encoder, ONE, TWO)
    assert sync(store, encoder, replace(ONE, text="Delivery takes a week."), TWO).embedded == 1


def test_syncing_the_same_again_makes_no_snapshot(store, encoder):
    first = sync(store, encoder, ONE)
    again = sync(store, encoder, ONE)
    assert not again.new_snapshot
    assert store.names() == [first.snapshot]


def test_pruning_stays_within_its_source(store, encoder):
    sync(store, encoder, ONE, source="a")
    sync(store, encoder, TWO, source="b", prune=True)
    assert set(store.current().articles) == {"one", "two"}


def test_an_id_of_another_source_is_refused(store, encoder):
    sync(store, encoder, ONE, source="a")
    report = sync(store, encoder, replace(ONE, text="Stolen."), source="b")
    assert "belongs to source 'a'" in report.failed[0].reason
    assert store.current().articles["one"].text == ONE.text


def test_pruning_keeps_articles_whose_file_has_just_failed(store, encoder, tmp_path):
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "one.md").write_text("# One\n\nText.")
    (folder / "two.md").write_text("# Two\n\nText.")
    sync_path(store, encoder, folder)
    (folder / "two.md").write_text("---\naudience: secret\n---\nText.")
    report = sync_path(store, encoder, folder, prune=True)
    assert report.failed[0].file == "two.md"
    assert set(store.current().articles) == {"one", "two"}


def test_pruning_keeps_pages_whose_list_and_articles_whose_folder_could_not_be_read():
    before = {
        name: Article(name, "T", "Text.", source="s", origin=origin)
        for name, origin in (
            ("page", "https://example.com/page"),
            ("closed", "private/deep/closed.md"),
            ("private-too", "privately.md"),
            ("gone", "gone.md"),
        )
    }

    def left(*unread: str) -> set[str]:
        failures = [Failure(name, None, "unread") for name in unread]
        return set(merged(before, {}, source="s", remove=(), prune=True, failures=failures))

    assert left() == set()
    assert left("more.urls") == {"page"}
    assert left("private") == {"closed"}
    assert left("gone.md") == {"gone"}


def test_the_last_article_stays(store, encoder):
    sync(store, encoder, ONE)
    with pytest.raises(NothingToRead, match="at least one"):
        sync_articles(store, encoder, [], source="help", remove=["one"])
    with pytest.raises(NothingToRead, match="at least one"):
        sync_articles(
            SnapshotStore(store.root.parent / "other"),
            encoder,
            [],
            source="s",
            curated=[CuratedAnswer("c", ("Why?",), "Because.")],
        )
    assert set(store.current().articles) == {"one"}


def test_two_folders_that_share_the_beginning_of_a_name_are_two_sources(tmp_path):
    for name in ("help.v1", "help.v2"):
        (tmp_path / name).mkdir()
        assert source_of(tmp_path / name) == name
    assert source_of(tmp_path / "faq.csv") == "faq"


def test_an_empty_folder_leaves_the_old_snapshot_serving(store, encoder, tmp_path):
    sync(store, encoder, ONE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToRead, match="no file to read"):
        sync_path(store, encoder, tmp_path / "empty", prune=True)
    assert set(store.current().articles) == {"one"}


def test_articles_that_supersede_each_other_in_a_circle_are_refused(store, encoder):
    a = Article("a", "A", "Text a.", supersedes=("b",))
    b = Article("b", "B", "Text b.", supersedes=("a",))
    report = sync(store, encoder, a, b, ONE)
    assert {failure.file for failure in report.failed} == {"a", "b"}
    assert "in a circle" in report.failed[0].reason
    assert set(store.current().articles) == {"one"}


def test_two_syncs_at_once_are_refused(store, encoder):
    with store.writing(), pytest.raises(SyncRunning, match="is running"):
        sync(store, encoder, ONE)


def test_an_interrupted_sync_serves_the_old_and_goes_on_where_it_was(store, encoder):
    sync(store, encoder, ONE)

    class Dies:
        name, dimension = encoder.name, encoder.dimension
        calls = 0

        def embed(self, texts):
            Dies.calls += 1
            if Dies.calls == 2:
                raise KeyboardInterrupt
            return encoder.embed(texts)

    many = [Article(f"n{i}", f"Number {i}", f"Text {i}.") for i in range(100)]
    with pytest.raises(KeyboardInterrupt):
        sync(store, Dies(), ONE, *many)
    assert set(SnapshotStore(store.root).current().articles) == {"one"}
    assert sync(store, encoder, ONE, *many).embedded == 100 - 64


def test_a_new_snapshot_is_seen_without_a_restart(store, encoder):
    sync(store, encoder, ONE)
    server = SnapshotStore(store.root)
    assert "two" not in server.current().articles
    sync(store, encoder, ONE, TWO)
    assert "two" in server.current().articles


def test_searching_goes_on_while_snapshots_are_swapped(store, encoder):
    sync(store, encoder, ONE)
    retriever = Retriever(SnapshotStore(store.root), encoder)
    problems: list[Exception] = []
    done = False

    def search() -> None:
        while not done:
            try:
                assert retriever.search("delivery", floor=False)
            except Exception as error:  # noqa: BLE001
                problems.append(error)

    threads = [Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(4):
        sync(store, encoder, replace(ONE, text=f"Delivery takes {number} days."))
    done = True
    for thread in threads:
        thread.join()
    assert problems == []


def test_rolling_back_serves_an_earlier_snapshot(store, encoder):
    first = sync(store, encoder, ONE).snapshot
    sync(store, encoder, TWO)
    store.rollback(first)
    assert set(store.current().articles) == {"one"}


def test_a_damaged_snapshot_is_never_served(store, encoder):
    first = sync(store, encoder, ONE).snapshot
    second = sync(store, encoder, TWO).snapshot
    path = store.root / "snapshots" / first / "vectors.npy"
    vectors = np.load(path)
    np.save(path, vectors + 1)
    with pytest.raises(SnapshotDamaged, match=r"vectors\.npy differs"):
        store.rollback(first)
    assert store.current_name() == second


def test_a_damaged_new_snapshot_leaves_the_former_serving(store, encoder):
    sync(store, encoder, ONE)
    server = SnapshotStore(store.root)
    server.current()
    second = sync(store, encoder, TWO).snapshot
    (store.root / "snapshots" / second / "chunks.jsonl").unlink()
    assert set(server.current().articles) == {"one"}
    assert "chunks.jsonl" in (server.problem or "")


def test_cited_versions_outlive_garbage_collection(store, encoder):
    sync(store, encoder, ONE)
    old = store.current().articles["one"]
    for number in range(KEPT + 2):
        sync(store, encoder, replace(ONE, text=f"Delivery takes {number} days."))
    assert len(store.names()) <= KEPT + 1
    assert Retriever(store, encoder).article("one", old.version) == old
    assert Retriever(store, encoder).article("one", "0" * 12) is None


def test_nothing_is_served_before_the_first_sync(store):
    with pytest.raises(NoSnapshot):
        store.current()
