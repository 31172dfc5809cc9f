"""Time and memory, measured in one place: interleaved repetitions, and peaks in a process of their own."""

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
HOST = torch.device("cpu")  # for work that no card does, whatever the settings say


class MeasurementError(Exception):
    """A process that was to be measured failed; the message is one line."""


@dataclass(frozen=True)
class Measurement:
    """What several repetitions gave, in seconds or MiB.

    Attributes:
        median: Of all repetitions.
        minimum: Of all repetitions.
        repetitions: How many.
    """

    median: float
    minimum: float
    repetitions: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Measurement":
        """Sum up the values of the repetitions, at least one."""
        return cls(statistics.median(values), min(values), len(values))


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        least: Rounds that are always run.
        most: Rounds after which it is enough.
        seconds: After the least rounds, no new one begins once this has passed.
    """

    least: int = 5
    most: int = 15
    seconds: float = 60.0


@dataclass(frozen=True)
class Settings:
    """What the command line asks for.

    Attributes:
        quick: Tiny sizes, to see whether everything runs.
        threads: Of torch.
        device: Where networks run.
        effort: Rounds of each case.
        folder: Where generated data goes.
    """

    quick: bool
    threads: int
    device: torch.device
    effort: Effort
    folder: Path


def interleave(
    contestants: Mapping[str, Callable[[], object]], effort: Effort, device: torch.device
) -> dict[str, Measurement]:
    """Time the contestants in turn, one round after another, so that a slow minute of the machine hits all.

    The first round warms up and does not count. On a GPU its own clock is read (CUDA events), around all the
    work that a call queues.

    Args:
        contestants: By name, what is called; it leaves no work behind that is not queued on `device`.
        effort: How many rounds.
        device: Where they work.

    Returns:
        Seconds a call, by name.
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
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / 1000


def peak_resident_mib() -> float:
    """Return the most memory that this process has had resident so far, in MiB.

    `resource.getrusage` will not do: it hands a child its parent's peak.
    """
    return _status_mib("VmHWM")


def resident_mib() -> float:
    """Return the memory that this process has resident now, in MiB."""
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
    """Watches a process and its children until it ends; `peak` is in bytes.

    Resident memory, summed twenty times a second: pages that processes share count several times.
    """

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.peak = 0

    def run(self) -> None:
        """Look until the process is gone."""
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
            return  # ended between two questions


@dataclass(frozen=True)
class ProcessResult:
    """What a process did.

    Attributes:
        output: What it printed.
        seconds: From its start to its end, imports and all.
        peak_mib: Most resident memory of it and its children together.
    """

    output: str
    seconds: float
    peak_mib: float


def run_process(command: Sequence[str], folder: Path = ROOT, cores: int | None = None) -> ProcessResult:
    """Run a command and watch its memory.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        cores: On how many of this process's cores; None = all.

    Raises:
        MeasurementError: It failed; its last line says how.
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
    """Run a task of `benchmarks.child` in a process of its own.

    Returns:
        The task's answer, and the peak resident memory of it and its children in MiB.
    """
    command = [sys.executable, "-m", "benchmarks.child", task, json.dumps(arguments)]
    result = run_process(command, cores=cores)
    return json.loads(result.output.splitlines()[-1]), result.peak_mib


def run_stage(stage: str, name: str, folder: Path, *options: str) -> ProcessResult:
    """Run `rsis STAGE NAME` in a folder that holds params.yaml, as a user would."""
    code = "from rsis.cli.main import main; main()"
    return run_process([sys.executable, "-c", code, stage, name, *options], folder)
