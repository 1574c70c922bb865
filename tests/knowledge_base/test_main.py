from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from knowledge_base.__main__ import app

ARTICLES = {"tent.md": "# Wet tent\n\nOpen the vents.", "card.md": "# Gift card\n\nFive years."}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("CHATBOT_ENCODER_ENGINE", "torch")  # each test would compile anew

    def invoke(*arguments: str, code: int = 0):
        result = CliRunner().invoke(app, [*arguments, "--data-dir", str(tmp_path / "data")])
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "articles"
    path.mkdir()
    for name, text in ARTICLES.items():
        (path / name).write_text(text)
    return path


def test_sync_search_and_roll_back(run, folder):
    said = run("sync", str(folder)).stdout
    assert "2 added, 0 changed, 0 removed, 0 unchanged, 0 failed" in said
    assert "added: tent  Wet tent" in said
    rows = json.loads(run("search", "water in my tent", "--json", "--no-floor").stdout)
    assert rows[0]["article"] == "tent"
    assert set(rows[0]) == {"article", "chunk", "title", "score", "text"}
    first = run("snapshots").stdout.split()[1]
    (folder / "tent.md").write_text("# Wet tent\n\nOpen both doors.")
    assert "changed: tent" in run("sync", str(folder)).stdout
    assert "serving" in run("rollback", first).stdout
    assert f"* {first}" in run("snapshots").stdout


def test_a_search_without_a_match_prints_an_empty_list(run, folder):
    run("sync", str(folder))
    assert json.loads(run("search", "capital of portugal", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "tent"], "nothing has been synced"),
        (["sync", "nowhere"], "does not exist"),
        (["rollback", "x"], "there is no snapshot 'x'"),
        (["snapshots"], "nothing has been synced"),
        (["calibrate"], "nothing has been synced"),
    ],
)
def test_errors_are_one_line(run, arguments, words):
    result = run(*arguments, code=1)
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_sync_says_all_in_one_object(run, folder):
    (folder / "bad.md").write_text("---\naudience: secret\n---\nText.")
    (folder / "curated.csv").write_text("question,answer\nIs it wet?,No.\n")
    said = json.loads(run("sync", str(folder), "--json").stdout)
    assert said["added"] == ["card", "tent"]
    assert said["curated"]["added"] == ["is-it-wet"]
    assert said["failed"] == ["bad.md: audience is 'secret'; use 'public' or 'internal'"]


def test_curated_answers_are_shown_with_their_scores(run, folder):
    (folder / "curated.csv").write_text("question,answer\nIs the tent wet?,Open the vents.\n")
    run("sync", str(folder))
    said = run("curated", "is the tent wet").stdout
    assert "* 1.000  is-the-tent-wet" in said
    assert "Open the vents." in said
    assert "no curated answer reaches" in run("curated", "five years").stdout


def test_a_damaged_snapshot_is_listed_as_such(run, folder, tmp_path):
    run("sync", str(folder))
    (manifest,) = (tmp_path / "data" / "knowledge" / "snapshots").glob("*/manifest.json")
    manifest.write_text("torn")
    assert "damaged: " in run("snapshots").stdout


def test_a_private_address_is_refused(run):
    assert "private network" in run("sync", "http://127.0.0.1:9/", code=1).stderr
