"""The process pool for work on many images: preparing, scoring, checking, drawing."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from rsis.errors import UserError
from rsis.machine.cores import available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4  # submitted items per process: enough to keep each busy, few enough to need little memory

_worker: list[Callable[[Any], Any]] = []  # in a worker process: the one function that it runs


def map_in_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None = None,
    *,
    fewest: int = 32,
    remedy: str = "free some, then run again",
) -> Generator[Result]:
    """Yield `work(item)` for each item, in the order of the items.

    Few results are in memory at a time, even with a slow consumer. Close the generator (`contextlib.closing`) to
    stop the processes early.

    Args:
        work: Picklable. It is sent only once to each process, so it may hold a reader or large tables.
        items: The inputs, for example one for each image.
        workers: Number of processes. 1 or less works in this process. None chooses a number by the cores and
            `fewest`. The results do not depend on it.
        fewest: Number of items whose work takes as long as the start of a process. With `workers` None, each process
            gets at least this many.
        remedy: What the user can do when memory is short; ends the error message.

    Raises:
        UserError: A worker process was killed.
        Exception: Any exception of `work`.
    """
    if workers is None:
        workers = min(available_cores(), len(items) // fewest)
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    # spawn, not fork: a forked child of a process with threads (of torch, numpy, a progress bar) may hang
    spawn = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, spawn, initializer=_start_worker, initargs=(work,))
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(executor.submit(_work_in_worker, item))
            if len(pending) >= workers * _AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(f"a worker process was killed, perhaps for lack of memory; {remedy}") from error
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker(work: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent stops its workers
    _worker.append(work)


def _work_in_worker(item: Any) -> Any:
    return _worker[0](item)
