"""Print what `make demo` will do and how long it will take: python3 workflow/plan.py RUN...

This needs only Python, since it runs before the installation. Times are those of the reference results.
"""

import json
import os
import sys
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "reports/reference/results.json"
OTHER_STAGES = 50  # seconds that a run needs for data, prediction, scores and report
MEMORY = 3 * 2**30  # bytes that a run may take


def at_a_time(runs: int) -> tuple[int, int]:
    """Return how many of the runs go side by side on this machine, and the threads of each.

    Two runs with a core each end sooner than one after another with two cores (benchmarks/README.md), so each run has
    cores of its own as long as there are cores and memory for it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    lanes = max(1, min(runs, cores, _memory() // MEMORY))
    return lanes, max(1, cores // lanes)


def duration(seconds: list[float], lanes: int) -> float:
    """Return the time of runs that are started in this order, each as soon as one of the lanes is free."""
    ends = [0.0] * lanes
    for time in seconds:
        ends[ends.index(min(ends))] += time
    return max(ends)


def main(runs: list[str]) -> None:
    """Print a line for each run, the total time, and how to resume after an interruption."""
    content = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {"runs": {}}
    trainings = {run: found[0] for run, found in content["runs"].items()}
    lanes, threads = at_a_time(len(runs))
    order = f"{lanes} at a time" if lanes > 1 else "one after another"
    print(f"This trains, predicts and scores, {order}, each with {threads} thread{'s' * (threads > 1)}:")
    times, machines = [], set()
    for run in runs:
        if run not in trainings:
            print(f"  {run:14} (no reference: rsis status {run} says how far it is)")
            continue
        known = trainings[run]
        times.append(known["seconds"] + OTHER_STAGES)
        machines.add(f"{known['machine']}, {known['threads']} thread{'s' * (known['threads'] > 1)}")
        print(f"  {run:14} on {known['dataset']}, about {times[-1] / 60:.0f} min")
    if machines:
        print(
            f"together about {duration(times, lanes) / 60:.0f} min after the installation, as on the reference machine"
        )
        print(f"({'; '.join(sorted(machines))}); less where there is a GPU or there are more cores.")
    print("Ctrl-C stops it at any time; the same command goes on from the last finished epoch.")


def _memory() -> int:
    """Return the bytes of memory of this machine; without limit where it does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return sys.maxsize


if __name__ == "__main__":
    main(sys.argv[1:])
