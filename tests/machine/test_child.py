"""A child process does the work, and its crash, its exception, its time and its memory are errors of the caller."""

import math
import os
import pickle
import signal
import time

import pytest

from rsis.machine import child
from rsis.machine.child import ChildError, InChild


def test_results_and_errors_come_back_and_the_child_stays() -> None:
    run = InChild(eval)
    pid = run("__import__('os').getpid()")
    assert pid != os.getpid()
    with pytest.raises(ChildError, match="division by zero"):
        run("1 / 0")
    assert run("__import__('os').getpid()") == pid
    assert pickle.loads(pickle.dumps(run))("__import__('os').getpid()") not in (pid, os.getpid())


def test_a_crash_is_named_and_the_next_call_has_a_new_child() -> None:
    crash = InChild(signal.raise_signal)
    for _ in range(2):
        with pytest.raises(ChildError, match="ended: Segmentation fault"):
            crash(signal.SIGSEGV)
    with pytest.raises(ChildError, match="ended: exit code 3"):
        InChild(eval)("__import__('os')._exit(3)")


def test_time_and_memory_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ChildError, match="MemoryError"):
        InChild[int, bytearray](bytearray)(2**31)
    root = InChild(math.sqrt)
    assert root(4.0) == 2
    monkeypatch.setattr(child, "_LONGEST", 0.2)
    slow = InChild(time.sleep)
    with pytest.raises(ChildError, match="seconds"):
        slow(30)
