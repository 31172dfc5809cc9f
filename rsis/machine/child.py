"""Work that may crash its process, done in a child process that is started again after a crash.

Some libraries end the process with a segmentation fault when a file is damaged. Such a file is parsed in a child
process, so that the error can name it and the other files are still read. The child stays for further calls: its start
takes a second, a call a few milliseconds.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_LONGEST = 60.0  # seconds for one call
_MOST_MEMORY = 2**30  # bytes of data that the child may take for its work


class ChildError(Exception):
    """The work failed or ended its process; the message gives the reason."""


class InChild(Generic[Argument, Result]):
    """A function that runs in a child process of the calling process.

    Args:
        work: A function of a module, with one picklable argument and a picklable result.
    """

    def __init__(self, work: Callable[[Argument], Result]) -> None:
        self._work = work
        self._child: tuple[int, BaseProcess, Connection] | None = None

    def __call__(self, argument: Argument) -> Result:
        """Return `work(argument)`.

        Raises:
            ChildError: It raised an exception, crashed, or took longer than a minute or more memory than a gigabyte.
        """
        process, connection = self._running()
        try:
            connection.send(argument)
            if not connection.poll(_LONGEST):
                raise ChildError(f"not read after {_LONGEST:.0f} seconds")
            done, result = connection.recv()
        except (EOFError, OSError) as error:
            process.join(5)
            code = process.exitcode
            ending = signal.strsignal(-code) if code is not None and code < 0 else f"exit code {code}"
            self._stop()
            raise ChildError(f"the process that read it was ended: {ending}") from error
        except BaseException:
            self._stop()
            raise
        if not done:
            raise ChildError(result)
        value: Result = result
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the function alone: each process has a child of its own."""
        return InChild, (self._work,)

    def _running(self) -> tuple[BaseProcess, Connection]:
        if self._child is None or self._child[0] != os.getpid() or not self._child[1].is_alive():
            spawn = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(self._work, theirs), daemon=True)
            process.start()
            theirs.close()
            self._child = os.getpid(), process, ours
        return self._child[1], self._child[2]

    def _stop(self) -> None:
        if self._child is not None:
            self._child[1].kill()
            self._child[2].close()
            self._child = None


def _data_of_this_process() -> int:
    """Return the bytes of data that this process has: some 40 MB for each thread of numpy's library, used or not."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    except (OSError, ValueError, IndexError):  # a system without /proc
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _serve(work: Callable[[Any], Any], connection: Connection) -> None:
    """Answer calls until the caller closes its end or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the caller handles it
    with contextlib.suppress(ImportError):  # Windows has no limits of this kind
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        allowed = _MOST_MEMORY + _data_of_this_process()
        most = allowed if hard == resource.RLIM_INFINITY else min(hard, allowed)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(EOFError, OSError):
        while True:
            argument = connection.recv()
            try:
                answer = True, work(argument)
            except Exception as error:  # whatever a library raises for a damaged file
                answer = False, " ".join(str(error).split()) or type(error).__name__
            connection.send(answer)
