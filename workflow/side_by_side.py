"""Reproduce runs with DVC, several at a time, each with its share of the cores: python workflow/side_by_side.py RUN...

`dvc repro` alone makes one stage after another. DVC allows more processes while the command of a stage runs, as long as
none looks after files that another one reads; so data sets come first, which several runs may share.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from plan import at_a_time

PARAMS = Path("params.yaml")
DATA = ("download", "prepare")
STAGES = ("train", "predict", "score")


def reproduce(name: str, targets: Sequence[str], threads: int) -> int:
    """Let DVC reproduce these stages alone, print each line after the name, and return the exit code.

    The commands have this number of threads, unless OMP_NUM_THREADS is set.
    """
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", *targets]  # in this order
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if text := line.rstrip():
                print(f"{name} | {text}", flush=True)
    return process.returncode


def main(runs: Sequence[str]) -> int:
    """Reproduce the data of the runs, then the runs, up to their scores; after a failure no further one is started."""
    datasets = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["default"]["runs"]
    if unknown := [run for run in runs if run not in datasets]:
        print(f"{', '.join(unknown)}: not among default.runs in params.yaml; there are {', '.join(datasets)}")
        return 2
    lanes, threads = at_a_time(len(runs))
    needed = dict.fromkeys(datasets[run] for run in runs)
    if code := reproduce("data", [f"{stage}@{name}" for name in needed for stage in DATA], lanes * threads):
        return code
    codes: list[int] = []

    def reproduce_run(run: str) -> None:
        if not any(codes):
            codes.append(reproduce(run, [f"{stage}@{run}" for stage in STAGES], threads))

    with ThreadPoolExecutor(lanes) as pool:
        try:
            list(pool.map(reproduce_run, runs))
        except KeyboardInterrupt:  # the commands got it too; those that wait are not started
            codes.append(130)
            raise
    return next((code for code in codes if code), 0)  # negative: a signal ended it


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
