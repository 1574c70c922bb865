"""Runs in any Python that has llama-cpp-python (``--llama PYTHON``) and without our packages.

Reads {"model": GGUF, "prompts": [token ids], "tokens": n, "threads": n} from standard input and
prints {"load_s", "rss_mb", "first_token_s", "first_token_again_s", "tokens_per_s_1"}: one request
after another, since the binding decodes no two at once.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    from llama_cpp import Llama

    asked = json.load(sys.stdin)
    started = time.perf_counter()
    llama = Llama(
        asked["model"],
        n_ctx=4096,
        n_threads=asked["threads"],
        n_threads_batch=asked["threads"],
        verbose=False,
    )
    load_s = time.perf_counter() - started
    first, again = [], []
    for prompt in asked["prompts"][:9]:
        llama.reset()
        first.append(_write(llama, prompt, 1)[0])
        again.append(_write(llama, prompt, 1)[0])  # its prefix is known
    rates = []
    for prompt in asked["prompts"][:3]:
        _write(llama, prompt, 2)  # its prompt is known then, as to the others
        rates.append(asked["tokens"] / _write(llama, prompt, asked["tokens"])[1])
    found = {
        "load_s": round(load_s, 1),
        "rss_mb": _resident_mb(),
        "first_token_s": round(statistics.median(first[1:]), 3),
        "first_token_again_s": round(statistics.median(again[1:]), 3),
        "tokens_per_s_1": round(statistics.median(rates), 1),
    }
    print(json.dumps(found))


def _write(llama: Any, prompt: list[int], tokens: int) -> tuple[float, float]:
    """Seconds to the first of ``tokens`` greedy ones, and to the last."""
    started, first = time.perf_counter(), 0.0
    for count, _ in enumerate(llama.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0), 1):
        first = first or time.perf_counter() - started
        if count == tokens:
            break
    return first, time.perf_counter() - started


def _resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


if __name__ == "__main__":
    main()
