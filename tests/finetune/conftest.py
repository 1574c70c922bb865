from __future__ import annotations

from pathlib import Path

import pytest

from tests.finetune.tiny import tiny_base


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("tiny") / "base")
