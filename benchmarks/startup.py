"""Start-up: the processor time before the program begins its work."""

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from benchmarks.cases import Case
from benchmarks.measure import ROOT, Measurement, MeasurementError, Settings
from benchmarks.results import Row

_COMMANDS = {
    "import rsis": ("-c", "import rsis"),
    "rsis --help": ("-c", "from rsis.cli.main import main; main()", "--help"),
    "from rsis import RSIS": ("-c", "from rsis import RSIS"),
}
_BARE = ("-c", "pass")


def cases(settings: Settings) -> list[Case]:
    """Return a case for each entry point: the command line, the package, the class `RSIS`."""
    return [Case("startup", name, partial(_start, name, settings)) for name in _COMMANDS]


def _start(name: str, settings: Settings) -> list[Row]:
    """Start Python with and without the code, in turn; the first round fills the disk's cache and is not counted."""
    ours, bare = [], []
    for _ in range(1 + settings.effort.least):
        ours.append(processor_seconds(_COMMANDS[name]))
        bare.append(processor_seconds(_BARE))
    note = "processor time, user and system, of the whole process"
    return [
        Row("startup", name, Measurement.of(ours[1:]), "s", "bare Python", Measurement.of(bare[1:]), note=note),
    ]


def processor_seconds(arguments: Sequence[str]) -> float:
    """Run Python with these arguments; return its processor time in seconds, which depends little on the load.

    Raises:
        MeasurementError: The process failed.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise MeasurementError(f"python {' '.join(arguments)}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime
