"""Files that are mapped into memory and were read once."""

from __future__ import annotations

import ctypes
import mmap
import sys
from pathlib import Path


def forget_pages(path: Path) -> None:
    """Takes the pages of a mapped file out of this process's memory; what is looked at later is
    read again (from the system's cache, as a rule).

    For weights: OpenVINO packs them at the first pass and does not look at the file's copy again,
    which would stay resident. Linux only; elsewhere the system does it when memory gets short.
    """
    if sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    wanted = str(path.resolve())
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        area, rights, _, _, _, *name = line.split(maxsplit=5)
        if name == [wanted] and "w" not in rights:
            start, end = (int(part, 16) for part in area.split("-"))
            madvise(start, end - start, mmap.MADV_DONTNEED)


def give_back_memory() -> None:
    """Has the C library return freed memory to the system: loading leaves much of it behind."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)
