"""A training step of the paper's runs and of their pointer variants: processor time, memory, operations.

`benchmarks.cost` predicts the hours and the memory of whole trainings from these rows. A step is timed as the processor
time of one thread, so other work on the machine matters little.
"""

from functools import partial

from benchmarks.cases import Case
from benchmarks.measure import ROOT, Measurement, Settings, run_child
from benchmarks.results import Row

RUNS = ("pascal", "pascal_pointer")
STEPS = (5, 15)
BATCH = 1
SIZE = (256, 256)
_NOTE = "processor time of one thread"


def cases(settings: Settings) -> list[Case]:
    """Return a case for each run and number of decoder steps."""
    size, steps = ((64, 64), (2, 4)) if settings.quick else (SIZE, STEPS)
    return [Case("paper", f"{run} T{t}", partial(_step, run, t, size)) for run in RUNS for t in steps]


def _step(run: str, steps: int, size: tuple[int, int]) -> list[Row]:
    arguments = {"params": str(ROOT / "params.yaml"), "run": run, "batch": BATCH, "size": size, "steps": steps}
    found, _ = run_child("paper_step", arguments)
    name = f"{run} {size[0]}x{size[1]} B{BATCH} T{steps}"
    return [
        Row("paper", f"{name}, step", Measurement.of([found["step"]]), items=BATCH, note=_NOTE),
        Row("paper", f"{name}, optimiser", Measurement.of([found["optimiser"]]), note=_NOTE),
        Row("paper", f"{name}, resident before", Measurement.of([found["before"]]), unit="MiB"),
        Row("paper", f"{name}, peak memory", Measurement.of([found["peak"]]), unit="MiB"),
        Row("paper", f"{name}, operations", Measurement.of([found["flop"] / 1e9]), unit="GFLOP"),
        Row("paper", f"{name}, parameters", Measurement.of([found["parameters"] / 2**20]), unit="MiB"),
    ]
