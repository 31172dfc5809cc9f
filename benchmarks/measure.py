"""Measure time, by interleaved repetitions, and peak memory, in separate processes."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

ROOT = Path(__file__).parents[1]
HOST = torch.device("cpu")  # for work that never runs on a GPU


class MeasurementError(Exception):
    """A measured process failed; the message is one line."""


@dataclass(frozen=True)
class Measurement:
    """The result of repeated measurements, in seconds or MiB.

    Attributes:
        median: Median over the repetitions.
        minimum: Minimum over the repetitions.
        repetitions: Number of repetitions.
    """

    median: float
    minimum: float
    repetitions: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Measurement":
        """Return the measurement for the values of one or more repetitions."""
        return cls(statistics.median(values), min(values), len(values))


@dataclass(frozen=True)
class Effort:
    """The number of rounds of a measurement.

    Attributes:
        least: Rounds that are always run.
        most: Largest number of rounds.
        seconds: Time after which no further round starts, except the first `least` ones.
    """

    least: int = 5
    most: int = 15
    seconds: float = 60.0


@dataclass(frozen=True)
class Settings:
    """The settings from the command line.

    Attributes:
        quick: Whether to use tiny sizes, to test that all cases run.
        threads: Number of threads of torch.
        device: The device of the networks.
        effort: Number of rounds of each case.
        folder: The folder for generated data.
    """

    quick: bool
    threads: int
    device: torch.device
    effort: Effort
    folder: Path


def interleave(
    contestants: Mapping[str, Callable[[], object]], effort: Effort, device: torch.device
) -> dict[str, Measurement]:
    """Time the contestants in turn, round by round, so that a slow phase of the machine affects all of them.

    The first round is a warm-up and is not counted. On a GPU, CUDA events measure the time of all work that a call
    queues.

    Args:
        contestants: The function to call, by name; all work that it leaves unfinished must be queued on `device`.
        effort: The number of rounds.
        device: The device of the functions.

    Returns:
        Seconds of a call, by name.
    """
    clock = _seconds_of_gpu if device.type == "cuda" else _seconds
    for call in contestants.values():
        clock(call)
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    begun = time.monotonic()
    for round_ in range(effort.most):
        if round_ >= effort.least and time.monotonic() - begun > effort.seconds:
            break
        for name, call in contestants.items():
            taken[name].append(clock(call))
    return {name: Measurement.of(values) for name, values in taken.items()}


def _seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _seconds_of_gpu(call: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / 1000


def peak_resident_mib() -> float:
    """Return the peak resident memory of this process so far, in MiB.

    `resource.getrusage` cannot be used: a child inherits its parent's peak.
    """
    return _status_mib("VmHWM")


def resident_mib() -> float:
    """Return the resident memory of this process now, in MiB."""
    return float(psutil.Process().memory_info().rss) / 2**20


def _status_mib(key: str) -> float:
    path = Path("/proc/self/status")
    if not path.exists():
        raise MeasurementError("peak memory is read from /proc/self/status, which only Linux has")
    for line in path.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise MeasurementError(f"/proc/self/status has no {key}")


class PeakMemory(threading.Thread):
    """Watches the memory of a process and its children until it ends; `peak` is in bytes.

    It sums the resident memory twenty times a second; pages shared by processes are counted for each of them.
    """

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.peak = 0

    def run(self) -> None:
        """Watch until the process has ended."""
        try:
            while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
                total = 0
                for member in (self.process, *self.process.children(recursive=True)):
                    try:
                        total += member.memory_info().rss
                    except psutil.NoSuchProcess:
                        continue
                self.peak = max(self.peak, total)
                time.sleep(0.05)
        except psutil.NoSuchProcess:
            return  # the process ended between two calls


@dataclass(frozen=True)
class ProcessResult:
    """The result of a process.

    Attributes:
        output: Its standard output.
        seconds: Time from its start to its end, including imports.
        peak_mib: Peak resident memory of it and its children together, in MiB.
    """

    output: str
    seconds: float
    peak_mib: float


def run_process(command: Sequence[str], folder: Path = ROOT, cores: int | None = None) -> ProcessResult:
    """Run a command and watch its memory.

    Args:
        command: Program and arguments.
        folder: Its working directory.
        cores: Number of this process's cores that it may use; None = all.

    Raises:
        MeasurementError: The command failed; the message has its last line.
    """
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    begun = time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        if cores is not None and allowed:
            os.sched_setaffinity(process.pid, allowed[:cores])
        watch = PeakMemory(psutil.Process(process.pid))
        watch.start()
        output, errors = process.communicate()
        seconds = time.monotonic() - begun
    watch.join()
    if process.returncode != 0:
        last = [line for line in errors.splitlines() if line.strip()] or ["no message"]
        raise MeasurementError(f"{' '.join(command[:6])}: exit code {process.returncode}: {last[-1].strip()}")
    return ProcessResult(output, seconds, watch.peak / 2**20)


def run_child(task: str, arguments: dict[str, Any], cores: int | None = None) -> tuple[dict[str, Any], float]:
    """Run a task of `benchmarks.child` in a separate process.

    Returns:
        The task's result, and the peak resident memory of it and its children in MiB.
    """
    command = [sys.executable, "-m", "benchmarks.child", task, json.dumps(arguments)]
    result = run_process(command, cores=cores)
    return json.loads(result.output.splitlines()[-1]), result.peak_mib


def run_stage(stage: str, name: str, folder: Path, *options: str) -> ProcessResult:
    """Run `rsis STAGE NAME`, as a user would, in a folder with params.yaml."""
    code = "from rsis.cli.main import main; main()"
    return run_process([sys.executable, "-c", code, stage, name, *options], folder)
