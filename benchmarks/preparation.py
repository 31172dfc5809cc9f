"""Preparation: from raw files to a prepared split; images per second and peak memory, on one core and on two."""

from functools import partial

from benchmarks.cases import Case
from benchmarks.generated import Workspace
from benchmarks.measure import Measurement, Settings, run_child
from benchmarks.results import Row
from rsis.machine.cores import available_cores


def cases(settings: Settings) -> list[Case]:
    """Return the cases of the preparation."""
    return [Case("preparation", name, partial(_prepare, name, settings)) for name in ("scenes", "streets", "plants")]


def _prepare(name: str, settings: Settings) -> list[Row]:
    workspace = Workspace(settings.folder, quick=settings.quick)
    workspace.raw(name)
    split = next(iter(workspace.params.dataset(name).splits))
    numbers = [cores for cores in (1, 2) if cores <= available_cores()]
    seconds: dict[int, list[float]] = {cores: [] for cores in numbers}
    mib: dict[int, list[float]] = {cores: [] for cores in numbers}
    images = 0
    for _ in range(min(settings.effort.least, 3)):
        for cores in numbers:
            arguments = {"params": str(workspace.params_path), "dataset": name, "split": split, "workers": cores}
            answer, peak = run_child("prepare", arguments, cores=cores)
            seconds[cores].append(answer["seconds"])
            mib[cores].append(peak)
            images = answer["images"]
    times = {cores: Measurement.of(values) for cores, values in seconds.items()}
    peaks = {cores: Measurement.of(values) for cores, values in mib.items()}
    rows = []
    for cores in numbers:
        case = f"{name}, {cores} core{'s' if cores > 1 else ''}"
        against = "ours, 1 core" if cores > 1 else ""
        baseline = (times[1], peaks[1]) if cores > 1 else (None, None)
        rows.append(Row("preparation", case, times[cores], "s", against, baseline[0], images))
        note = "resident memory of all processes"
        rows.append(Row("preparation", f"{case}, peak memory", peaks[cores], "MiB", against, baseline[1], note=note))
    return rows
