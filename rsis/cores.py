"""How many processors this process may use."""

import os


def available_cores() -> int:
    """Return the number of cores that this process may run on: on a cluster those of its job, not the machine's."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
