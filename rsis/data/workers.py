"""Work that is spread over processes."""

import math
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rsis.cores import available_cores

Job = TypeVar("Job")
Result = TypeVar("Result")


def map_in_processes(work: Callable[[Job], Result], jobs: Sequence[Job], processes: int | None = None) -> list[Result]:
    """Return what `work` returns for each job, in the order of the jobs.

    Args:
        work: A function of a module, or a partial of one: it is pickled.
        jobs: Its arguments.
        processes: How many work at once; by default one per core, fewer when there are few jobs.
    """
    processes = min(processes or available_cores(), math.ceil(len(jobs) / 16))
    if processes <= 1:
        return list(map(work, jobs))
    # spawn, since a fork of a process that runs threads (torch, a progress bar) may hang
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(work, jobs, chunksize=8))
