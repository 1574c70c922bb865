"""Wrong settings and broken surroundings end in one line that names the value and the remedy."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chatbot.company import load_company
from chatbot.errors import BadInput, SetupError
from chatbot.init import init_company
from chatbot.prepare import prepare
from chatbot.review.rules_file import read_rules_file
from chatbot.settings import load_settings
from chatbot.storage.crypto import load_vault

ROOT = Path(__file__).parents[1]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_unknown_setting_stops_the_start_with_the_likely_name() -> None:
    done = run("server.py", CHATBOT_DATADIR="x")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: CHATBOT_DATADIR is not a setting")
    assert "CHATBOT_DATA_DIR" in done.stderr


def test_a_bad_value_names_the_variable_and_the_reason() -> None:
    with pytest.raises(SetupError, match=r"CHATBOT_ENGINE: .*'warp'"):
        load_settings({"CHATBOT_ENGINE": "warp"})


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("server.py", "--port", port, CHATBOT_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert f"port {port} is in use" in done.stderr


async def test_an_unwritable_data_directory_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SetupError, match=r"file/data cannot be written.*CHATBOT_DATA_DIR"):
        await prepare(load_settings({}, data_dir=file / "data"))


async def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(10, 9, 1)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(SetupError, match=r"0\.0 GB free; the first start needs 1\.9 GB"):
        await prepare(load_settings({}, data_dir=tmp_path))


def test_text_does_not_open_with_another_key(tmp_path: Path) -> None:
    sealed = load_vault("a" * 40, tmp_path).seal("hello", "row")
    with pytest.raises(SetupError, match="does not open with this secret key"):
        load_vault("b" * 40, tmp_path).open(sealed, "row")
    with pytest.raises(SetupError, match="at least 32"):
        load_vault("short", tmp_path)


def test_a_generated_key_file_is_private_and_kept(tmp_path: Path) -> None:
    first = load_vault(None, tmp_path)
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    assert load_vault(None, tmp_path).open(first.seal("x", "row"), "row") == "x"


def test_init_makes_a_folder_that_loads_and_overwrites_nothing(tmp_path: Path) -> None:
    init_company(tmp_path / "mine")
    company = load_company(tmp_path / "mine")
    assert company.name == "Your company"
    assert read_rules_file(tmp_path / "mine" / "review.toml", company.texts).late
    with pytest.raises(BadInput, match="not empty"):
        init_company(tmp_path / "mine")


def test_a_broken_company_file_is_named_with_its_key(tmp_path: Path) -> None:
    init_company(tmp_path / "mine")
    path = tmp_path / "mine" / "company.toml"
    path.write_text(path.read_text().replace('"Europe/London"', '"Mars/Base"'))
    with pytest.raises(SetupError, match=r"company\.toml: timezone: .*Mars/Base"):
        load_company(tmp_path / "mine")


def test_keys_are_made_listed_and_revoked_in_the_terminal(tmp_path: Path) -> None:
    data = str(tmp_path)
    made = run("-m", "chatbot", "keys", "create", "--role", "agent", "--data-dir", data)
    key_id, key = made.stdout.split()[0], made.stdout.split()[-1]
    assert key.startswith("dg_agent_")
    listed = run("-m", "chatbot", "keys", "list", "--data-dir", data)
    assert key_id in listed.stdout
    assert key not in listed.stdout
    run("-m", "chatbot", "keys", "revoke", key_id, "--data-dir", data)
    assert "revoked" in run("-m", "chatbot", "keys", "list", "--data-dir", data).stdout
    wrong = run("-m", "chatbot", "keys", "create", "--role", "boss", "--data-dir", data)
    assert (wrong.returncode, "is not a role" in wrong.stderr) == (2, True)
    checked = run("-m", "chatbot", "audit", "verify", "--data-dir", data)
    assert "0 broken chains" in checked.stdout
