"""Fails when the environment holds what the product promises not to need: CUDA packages."""

from __future__ import annotations

import sys
from importlib.metadata import distributions

cuda = sorted(
    name
    for distribution in distributions()
    if (name := str(distribution.metadata["Name"]).lower()).startswith(("nvidia-", "triton"))
)
if cuda:
    sys.exit(
        f"CUDA packages are installed: {', '.join(cuda)}. "
        "Set TORCH_INDEX_URL to an index with a CPU build of torch and run make again."
    )
