"""Headless Chromium, the console signed in, and a queue as long as a test wants it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from chatbot.storage.ids import new_id
from tests.support.server import Running

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

TIMEOUT_MS = 6_000
NAVIGATION_TIMEOUT_MS = 30_000  # a busy machine loads forty modules slowly


@contextmanager
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("Chromium is needed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def console(browser: Browser, running: Running, key: str, **context: str) -> Page:
    """A new window of the console with this key's owner signed in."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.set_default_navigation_timeout(NAVIGATION_TIMEOUT_MS)
    page.goto(f"{running.url}/console")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Areas")).to_be_visible()
    return page


def multiply(running: Running, item_id: str, number: int) -> None:
    """Copies an open item, its message and its conversation until ``number`` are open."""
    office = running.app.state.context.office
    database = office.settings.data_dir / "chatbot.db"
    with sqlite3.connect(database, timeout=30) as rows:
        rows.row_factory = sqlite3.Row

        def one(table: str, identity: str) -> dict[str, object]:
            return dict(rows.execute(f"SELECT * FROM {table} WHERE id = ?", (identity,)).fetchone())

        def insert(table: str, row: dict[str, object], changes: dict[str, object]) -> None:
            row = row | changes
            marks = ", ".join("?" * len(row))
            names = ", ".join(row)
            rows.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))

        item = one("review_items", item_id)
        conversation = one("conversations", str(item["conversation_id"]))
        message = one("messages", str(item["message_id"]))
        summary = office.vault.open_json(item["summary_sealed"], item_id)
        for n in range(1, number):
            ids = {kind: new_id(kind) for kind in ("item", "conv", "msg")}
            insert("conversations", conversation, {"id": ids["conv"]})
            insert("messages", message, {"id": ids["msg"], "conversation_id": ids["conv"]})
            said = summary | {"question": f"Question number {n}"}
            changes = {
                "id": ids["item"],
                "conversation_id": ids["conv"],
                "message_id": ids["msg"],
                "summary_sealed": office.vault.seal_json(said, ids["item"]),
                "promised_at": float(str(item["promised_at"])) + n,
            }
            insert("review_items", item, changes)
