"""Peak memory of a training step, for different numbers of decoder steps."""

from functools import partial

from benchmarks.cases import PAPER_WIDTHS, Case
from benchmarks.measure import Measurement, Settings, run_child
from benchmarks.results import Row


def cases(settings: Settings) -> list[Case]:
    """Return the cases of a step's memory."""
    numbers: tuple[int, ...]
    if settings.quick:
        backbone, widths, size, batch, numbers = "resnet18", (16, 16, 8, 8, 4), (64, 64), 2, (2, 4)
    else:
        backbone, widths, size, batch, numbers = "resnet34", PAPER_WIDTHS, (256, 256), 4, (5, 10, 20)
    found = []
    for steps in numbers:
        name = f"step of {backbone} {size[0]}x{size[1]} B{batch} T{steps}"
        arguments = {"backbone": backbone, "widths": widths, "size": size, "batch": batch, "steps": steps}
        arguments |= {"device": settings.device.type}
        found.append(Case("memory", name, partial(_step, name, arguments, settings.effort.least)))
    return found


def _step(name: str, arguments: dict[str, object], least: int) -> list[Row]:
    taken: dict[str, list[float]] = {"ours": [], "literal": []}
    for _ in range(min(least, 3)):
        for who, values in taken.items():
            answer, _ = run_child("step", {**arguments, "who": who})
            values.append(answer["mib"])
    ours, literal = (Measurement.of(values) for values in taken.values())
    note = "beyond the process with the network loaded"
    return [Row("memory", name, ours, unit="MiB", against="literal", baseline=literal, note=note)]
