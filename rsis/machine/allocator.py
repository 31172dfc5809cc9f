"""A setting of glibc's allocator: the process keeps freed memory and uses it for its next tensors.

By default glibc maps each block of some megabytes separately and returns it to the system when it is freed. The next
tensor of that size then causes a page fault for every 4 KiB: a fifth of the time of a training step or a prediction
(`benchmarks/README.md`). Tensors larger than `_LARGEST_KEPT` are still mapped separately: keeping their memory too
would save little time and waste a quarter of the peak memory in holes that no tensor fits into.
"""

import ctypes

# names and values from glibc's <malloc.h>
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_NEVER_TRIM = -1
_LARGEST_KEPT = 2**27  # bytes


def keep_freed_memory() -> bool:
    """Let this process keep freed memory for its next tensors; its peak memory grows by about a tenth.

    Only commands that run a network until they end call it: a library must not change its caller's process.

    Returns:
        Whether the setting took effect. It is False with a C library other than glibc.
    """
    try:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    except (TypeError, OSError):  # Windows cannot open the running program as a library
        return False
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM))
