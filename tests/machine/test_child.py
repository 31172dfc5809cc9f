"""A child process does the work, and its crash, its exception, its time and its memory are errors of the caller."""

import json
import math
import multiprocessing
import os
import pickle
import signal
import time

import pytest

from rsis.machine import child
from rsis.machine.child import ChildError, InChild


def test_results_and_errors_come_back_and_the_child_stays() -> None:
    others = set(multiprocessing.active_children())
    parse = InChild(json.loads)
    assert parse('{"a": 1}') == {"a": 1}
    (process,) = set(multiprocessing.active_children()) - others
    with pytest.raises(ChildError, match="Expecting value"):
        parse("{")
    assert parse("[]") == []
    assert set(multiprocessing.active_children()) == {process, *others}
    assert pickle.loads(pickle.dumps(parse))("3") == 3


def test_a_crash_is_named_and_the_next_call_has_a_new_child() -> None:
    crash = InChild(signal.raise_signal)
    for _ in range(2):
        with pytest.raises(ChildError, match="ended: Segmentation fault"):
            crash(signal.SIGSEGV)
    with pytest.raises(ChildError, match="ended: exit code 3"):
        InChild(os._exit)(3)


def test_time_and_memory_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ChildError, match="MemoryError"):
        InChild(bytearray)(2**31)
    root = InChild(math.sqrt)
    assert root(4.0) == 2
    monkeypatch.setattr(child, "_LONGEST", 0.2)
    slow = InChild(time.sleep)
    with pytest.raises(ChildError, match="seconds"):
        slow(30)
