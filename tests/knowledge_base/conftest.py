"""One encoder and one synced help centre for all tests of this room."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import torch

from knowledge_base.article import Article
from knowledge_base.encoder import TransformerEncoder
from knowledge_base.retriever import Retriever
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_articles

TODAY = date(2026, 6, 15)

HELP_CENTRE = [
    Article("returns", "Returning an item", "You have 60 days from delivery to return an item.\n\n"
            "## What it costs\n\nThe return label costs £3.50 and is taken off the refund."),
    Article("returns-2025", "Returning an item", "You have 30 days to return an item.",
            valid_until=date(2025, 12, 31)),
    Article("returns-old", "How to return", "You have 14 days to return an item."),
    Article("returns-policy", "Return window", "An item may be returned within 60 days.",
            supersedes=("returns-old",)),
    Article("goodwill", "Goodwill limits for returns", "Agents may accept a return for 90 days.",
            audience="internal"),
    Article("delivery", "Delivery prices", "Delivery to Germany costs €4.95.\n\n"
            "| Country | Price |\n|---|---|\n| Germany | €4.95 |\n| Ireland | €5.95 |"),
    Article("delivery-2027", "Delivery prices from 2027", "Delivery to Germany costs €6.00.",
            valid_from=date(2027, 1, 1)),
    Article("tent", "Water inside the tent", "Condensation forms at night. Open the vents."),
    Article("stove", "The stove does not light", "Check the gas and press the igniter twice."),
    Article("password", "Resetting a password", "Use the link on the sign-in page."),
    Article("gift-card", "Gift cards", "A gift card is valid for five years."),
    Article("gift-card-copy", "Gift vouchers", "A gift card is valid for five years."),
]  # fmt: skip


@pytest.fixture(scope="session")
def encoder() -> TransformerEncoder:
    torch.set_num_threads(1)  # several test workers share the cores
    return TransformerEncoder()


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory, encoder) -> SnapshotStore:
    """Read only: tests that write make their own."""
    store = SnapshotStore(tmp_path_factory.mktemp("knowledge"))
    sync_articles(store, encoder, HELP_CENTRE, source="help")
    return store


@pytest.fixture
def retriever(shared_store, encoder) -> Retriever:
    return Retriever(shared_store, encoder)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "knowledge")
