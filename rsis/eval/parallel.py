"""Work on one image at a time, spread over processes."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from rsis.cores import available_cores
from rsis.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 8  # items in flight per process: enough to keep all busy, few enough for any memory

_worker: list[Callable[[Any], Any]] = []  # in a worker process: what it was started for


def map_images(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None, *, fewest: int = 32
) -> Iterator[Result]:
    """Yield what `work` makes of each item, in their order.

    Args:
        work: Picklable; sent once to every process, so it may hold tables that an item is looked up in.
        items: One for each image.
        workers: Processes; None for as many as pay, 1 for this process alone. The results do not depend on it.
        fewest: Items for which a process works as long as it takes to start: fewer get none of their own.

    Raises:
        UserError: A process was killed; and what `work` raises.
    """
    if workers is None:
        workers = min(available_cores(), len(items) // fewest)
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    # spawn, since a fork of a process that runs threads (a progress bar, numpy's) may hang
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
        message = "a scoring process was killed, perhaps for lack of memory; free some, then run `rsis score RUN` again"
        raise UserError(message) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker(work: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent stops us
    _worker.append(work)


def _work_in_worker(item: Any) -> Any:
    return _worker[0](item)
