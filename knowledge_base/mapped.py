"""Memory that a long-lived process need not hold."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from pathlib import Path

KERNELS_KEPT = 128
"""oneDNN keeps compiled kernels of the process, 1,024 of its own accord; a prompt of another
length needs seven new ones of about 100 KB, which take under a millisecond each."""


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


def hold_little_memory() -> None:
    """Has libraries keep less for later. To be called before threads start and before OpenVINO is
    imported.

    oneDNN: ``KERNELS_KEPT``, unless its own variable says otherwise. The C library (glibc only):
    two arenas instead of eight a core, and large blocks returned at once; after 40 turns of up to
    8 customers that is 100 MB less in the server. Numbers: malloc.h.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KERNELS_KEPT))
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        arenas, mapped_from, trimmed_from, large = -8, -3, -1, 1 << 20
        for setting, value in ((arenas, 2), (mapped_from, large), (trimmed_from, large)):
            mallopt(setting, value)


def give_back_memory() -> None:
    """Has the C library return freed memory to the system: loading leaves much of it behind."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)
