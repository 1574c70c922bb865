from __future__ import annotations

import os
import subprocess
import sys

import pytest

VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
PRINTED = (
    "import os; from knowledge_base.mapped import hold_little_memory; hold_little_memory(); "
    f"print(os.environ['{VARIABLE}'])"
)


@pytest.mark.parametrize(("set_to", "expected"), [(None, "128"), ("1024", "1024")])
def test_kernels_are_bounded_unless_an_operator_says_otherwise(
    set_to: str | None, expected: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if set_to is not None:
        environment[VARIABLE] = set_to
    done = subprocess.run(
        [sys.executable, "-c", PRINTED], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected
