"""One process pool for all work on many images: preparing, scoring, checking, drawing."""

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

_AHEAD = 4  # items in flight for each process: enough to keep all busy, few enough for any memory

_worker: list[Callable[[Any], Any]] = []  # in a worker process: the function it was started for


def map_in_processes(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None = None,
    *,
    fewest: int = 32,
    remedy: str = "free some, then run again",
) -> Generator[Result]:
    """Yield what `work` returns for each item, in the order of the items.

    Few results are in memory at a time, however slow the consumer is. Close the generator (`contextlib.closing`) to
    stop the processes early.

    Args:
        work: Picklable; sent once to each process, so it may hold a reader or tables that items are looked up in.
        items: For example one for each image.
        workers: Processes; None for as many as pay, 1 or less for this process alone. The results do not depend on it.
        fewest: How many items take a process as long as its start; with None for `workers`, each has at least these.
        remedy: What to do when memory is short, for the error.

    Raises:
        UserError: A process was killed.
        Exception: Whatever `work` raises.
    """
    if workers is None:
        workers = min(available_cores(), len(items) // fewest)
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    # spawn: a fork of a process that runs threads (torch's, numpy's, a progress bar's) may hang
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent stops its workers
    _worker.append(work)


def _work_in_worker(item: Any) -> Any:
    return _worker[0](item)
