"""Hours and memory of the paper's trainings, predicted from measured steps.

    python -m benchmarks.cost [RESULTS.json]

prints the table of docs/cost.md, which has the formulas. A test compares the page with this module, so the page
follows the JSON files and params.yaml. All that is assumed and not measured is a constant here.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ROOT
from benchmarks.paper import BATCH, SIZE, STEPS
from benchmarks.results import read_results
from rsis.config.params import Params, load_params

RESULTS = ROOT / "benchmarks/paper_xeon_amx.json"
LOADING = ROOT / "benchmarks/epyc_avx512.json"
LOADING_CASE = "scenes, 0 workers, the paper's augmentation"

IMAGES = {"pascal": (9524, 1058), "cvppp": (96, 32), "cityscapes": (2975, 500)}  # train and val, by data set
MEASURED_AS = {"pascal": "pascal", "cvppp": "pascal", "cityscapes": "pascal"}  # other runs: as pascal_pointer
RUNS = ("pascal", "cvppp", "cityscapes", "pascal_pointer", "cvppp_pointer", "cityscapes_pointer")

# Assumptions: no card has run this code.
FORWARD_SHARE = 1 / 3  # of a training step's time, for an image that is only validated
CARD_RATE = 989e3  # GFLOP/s: dense bfloat16 products of an H100 SXM, by its data sheet
CARD_SHARE = 0.2  # of that rate
CARDS, CARDS_SHARE = 8, 0.8  # of eight times one card's pace
CARD_CONTEXT = 2048  # MiB that the driver and its libraries need


@dataclass(frozen=True)
class Line:
    """A quantity that grows with the decoder steps: constant + slope * T, for one image of 256 x 256."""

    constant: float
    slope: float

    @classmethod
    def through(cls, values: tuple[float, float]) -> "Line":
        """Return the line through the values of `BATCH` images at each of `STEPS`."""
        slope = (values[1] - values[0]) / (STEPS[1] - STEPS[0]) / BATCH
        return cls(values[0] / BATCH - slope * STEPS[0], slope)

    def at(self, steps: int, images: float, pixels: int) -> float:
        """Return the quantity for T steps, of so many images of so many pixels."""
        return images * pixels / (SIZE[0] * SIZE[1]) * (self.constant + self.slope * steps)


@dataclass(frozen=True)
class Measured:
    """What was measured of one run's step.

    Attributes:
        seconds: Seconds of one core, without the optimiser.
        optimiser: Seconds that the optimiser needs, whatever the batch.
        memory: MiB beyond `base`.
        operations: GFLOP.
        base: MiB of the process, its gradients and two moments of the optimiser.
        parameters: MiB of the weights.
    """

    seconds: Line
    optimiser: float
    memory: Line
    operations: Line
    base: float
    parameters: float


@dataclass(frozen=True)
class Cost:
    """The cost of a training.

    Attributes:
        steps: Optimiser steps of an epoch.
        core_step: Seconds of a step on one core.
        core_hours: Hours of the training on one core.
        core_mib: Peak memory on a CPU, in MiB.
        card_step: Seconds of a step on one card.
        card_hours: Hours on one card and on `CARDS`.
        card_mib: Memory of one card, in MiB, and of each of `CARDS`.
    """

    steps: int
    core_step: float
    core_hours: float
    core_mib: float
    card_step: float
    card_hours: tuple[float, float]
    card_mib: tuple[float, float]


def read_measured(path: Path) -> dict[str, Measured]:
    """Return the measured steps by run."""
    values = {row.case: row.ours.median for row in read_results(path)[1] if row.subject == "paper"}
    found = {}
    for run in ("pascal", "pascal_pointer"):
        names = [f"{run} {SIZE[0]}x{SIZE[1]} B{BATCH} T{steps}, " for steps in STEPS]
        parameters = values[names[0] + "parameters"]
        optimiser = sum(values[name + "optimiser"] for name in names) / len(names)
        base = values[names[0] + "resident before"] + 3 * parameters
        peaks = [values[name + "peak memory"] - base for name in names]
        found[run] = Measured(
            seconds=Line.through((values[names[0] + "step"] - optimiser, values[names[1] + "step"] - optimiser)),
            optimiser=optimiser,
            memory=Line.through((peaks[0], peaks[1])),
            operations=Line.through((values[names[0] + "operations"], values[names[1] + "operations"])),
            base=base,
            parameters=parameters,
        )
    return found


def cost_of(name: str, params: Params, measured: Measured, load: float) -> Cost:
    """Return the cost of a run.

    Args:
        name: A run of `RUNS`.
        params: The project's parameters.
        measured: The measured step.
        load: Seconds in which one worker makes a sample.
    """
    run = params.run(name)
    train, (height, width) = run.train, params.dataset(run.dataset).size
    epochs = train.epochs
    assert epochs is not None, "no run of the paper has minutes"
    images, validated = IMAGES[run.dataset]
    steps, pixels, decoder_steps = images // train.batch_size, height * width, train.num_steps

    def hours(step: float) -> float:
        """Return the hours of all epochs: an epoch trains on S batches, and some end with a validation."""
        epoch = steps * step + FORWARD_SHARE * step * validated / train.batch_size / train.validate_every
        return epochs * epoch / 3600

    core = measured.optimiser + measured.seconds.at(decoder_steps, train.batch_size, pixels)
    operations = measured.operations.at(decoder_steps, train.batch_size, pixels)
    card, cards = (
        max(operations / (CARD_RATE * CARD_SHARE * pace), train.batch_size / count * load / max(1, train.workers))
        for count, pace in ((1, 1), (CARDS, CARDS * CARDS_SHARE))
    )
    on_card = [
        CARD_CONTEXT + 4 * measured.parameters + measured.memory.at(decoder_steps, train.batch_size / count, pixels)
        for count in (1, CARDS)
    ]
    return Cost(
        steps=steps,
        core_step=core,
        core_hours=hours(core),
        core_mib=measured.base + measured.memory.at(decoder_steps, train.batch_size, pixels),
        card_step=card,
        card_hours=(hours(card), hours(cards)),
        card_mib=(on_card[0], on_card[1]),
    )


def costs(results: Path = RESULTS) -> dict[str, Cost]:
    """Return the cost of each of `RUNS`."""
    measured, params = read_measured(results), load_params(ROOT / "params.yaml")
    row = next(row for row in read_results(LOADING)[1] if row.case == LOADING_CASE)
    assert row.items is not None, "samples of an epoch"
    load = row.ours.median / row.items
    return {name: cost_of(name, params, measured[MEASURED_AS.get(name, "pascal_pointer")], load) for name in RUNS}


def table(results: Path = RESULTS) -> str:
    """Return the table of docs/cost.md."""
    lines = [
        "| run | steps an epoch | step, one core | training, one core | memory, CPU | step, one card | one card | "
        "eight cards | memory of a card: one, eight |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, found in costs(results).items():
        gib = [f"{value / 1024:.0f}" for value in (found.core_mib, *found.card_mib)]
        lines.append(
            f"| `{name}` | {found.steps} | {found.core_step:.0f} s | {found.core_hours / 24:.1f} days | "
            f"{gib[0]} GiB | {1000 * found.card_step:.0f} ms | {60 * found.card_hours[0]:.0f} min | "
            f"{60 * found.card_hours[1]:.0f} min | {gib[1]}, {gib[2]} GiB |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS), end="")
