from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from knowledge_base.calibrate import calibrate
from knowledge_base.fusion import Calibration
from knowledge_base.retriever import Retriever
from knowledge_base.settings import SAMPLE_COMPANY
from knowledge_base.store import SnapshotStore
from knowledge_base.sync import sync_path

ANSWERED = {
    "how much is shipping to germany": "delivery-prices",
    "i forgot my password": "account-password-reset",
    "do you ship to norway": "delivery-countries",
    "how do i wash my down sleeping bag": "care-down",
    "money was taken twice from my card": "payment-charged-twice",
}

PREFIXES = ("account-p", "account-l", "care-", "delivery-c", "delivery-p", "gift-", "payment-")


@pytest.fixture(scope="module")
def sample(tmp_path_factory, encoder):
    folder = tmp_path_factory.mktemp("articles")
    for prefix in PREFIXES:  # a fifth of the sample company: embedding all of it takes 15 s
        for path in (Path(SAMPLE_COMPANY) / "articles").glob(f"{prefix}*.md"):
            shutil.copy(path, folder)
    store = SnapshotStore(tmp_path_factory.mktemp("sample"))
    report = sync_path(store, encoder, folder)
    assert report.failed == ()
    assert report.calibrated
    return Retriever(store, encoder)


@pytest.mark.parametrize(("question", "article"), ANSWERED.items())
def test_a_calibrated_help_centre_answers(sample, question, article):
    assert article in [passage.article for passage in sample.search(question)]


@pytest.mark.parametrize(
    "question", ["tell me a joke", "how do i bake sourdough bread", "who is the king of spain"]
)
def test_a_calibrated_help_centre_stays_silent(sample, question):
    assert sample.search(question) == []


def test_calibration_is_deterministic(shared_store, encoder):
    snapshot = shared_store.current()
    again = calibrate(snapshot, encoder, lambda stage, done, total: None)
    assert again == snapshot.calibration


def test_calibration_survives_its_file(sample):
    calibration = sample.snapshot().calibration
    assert Calibration.from_json(calibration.to_json()) == calibration
