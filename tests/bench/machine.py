"""What this machine could do at best: its memory bandwidth bounds the speed of decoding."""

from __future__ import annotations

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

BYTES = 256_000_000  # far larger than any cache
ROUNDS = 5


def bandwidth_gb_s() -> float:
    """The best of several reads of memory by all cores at once, in 1e9 bytes a second."""
    cores = os.cpu_count() or 1
    parts = [np.ones(BYTES // 8 // cores, dtype=np.int64) for _ in range(cores)]
    best = 0.0
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, parts))  # numpy lets the lock go meanwhile
            best = max(best, BYTES / (time.perf_counter() - started) / 1e9)
    return best


def describe() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    flags = next((x.split() for x in lines if x.startswith("flags")), [])
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "instructions": [name for name in wanted if name in flags],
        "load_before": round(os.getloadavg()[0], 2),
        "bandwidth_gb_s": round(bandwidth_gb_s(), 1),
    }
