"""Tensors in memory that the process keeps, not in memory asked of the system anew each time.

By default glibc maps every block of some megabytes by itself and gives it back once it is free. The next tensor of
that size then begins with a page fault for every 4 KiB: a fifth of the time of a training step or a prediction
(`benchmarks/README.md`). Larger tensors than `_LARGEST_KEPT` are still mapped: keeping these too leaves holes that
nothing fits into, a quarter of the peak and little time gained.
"""

import ctypes

# the names and numbers of glibc's <malloc.h>
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_NEVER_TRIM = -1
_LARGEST_KEPT = 2**27  # bytes


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for its next tensors; its peak grows by about a tenth.

    For commands that run a network until they end. A library must not decide it for its caller.

    Returns:
        Whether the C library is one that can be told (glibc); with another nothing changes.
    """
    try:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    except (TypeError, OSError):  # no way to name the program itself: Windows
        return False
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM))
