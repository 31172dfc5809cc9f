"""Reference results: metrics of the project's runs on the machine of their first training, to compare one's own with.

`reports/reference/results.json` has, for each run, its own training, followed by those of the runs that differ from it
only in their seed:

    {
      "runs": {
        "demo": [
          {"run": "demo", "seed": 0, "dataset": "plants", "split": "test", "images": 40,
           "metrics": {"cvppp/sbd": 0.81, "cvppp/abs_dic": 0.5},
           "epochs": 18, "seconds": 199.6, "threads": 2, "device": "cpu", "torch": "2.14.1",
           "machine": "Intel(R) Xeon(R) Processor, 2 cores, AVX-512", "commit": "0123456789ab"}
        ]
      },
      "schema_version": 1
    }

Metrics are fractions 0..1, or counts; `seconds` is the training time.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Literal

from rsis.config.params import Params
from rsis.errors import UserError
from rsis.files.atomic import atomic_path, read_json
from rsis.report.tables.protocol import ScoredRun

NAME = "results.json"
SCHEMA_VERSION: Final = 1
# the metrics to compare, in this order
FIGURES = (
    *("cvppp/sbd", "cvppp/abs_dic", "voc/APr50", "voc/AR10_iou50", "cityscapes/AP50", "cityscapes/AP"),
    *("coco/AP50", "coco/AP"),
)


@dataclass(frozen=True)
class Training:
    """One training and its metrics.

    Attributes:
        run: Name of the run.
        seed: `train.seed`.
        dataset: The data set.
        split: The split that was scored.
        images: Number of scored images.
        metrics: Value by scorer key.
        epochs: Number of epochs.
        seconds: Training time in seconds.
        threads: Number of CPU threads.
        device: "cpu", or the GPU.
        torch: Version of torch.
        machine: Description of the machine.
        commit: Git commit of the code, followed by "+changes" if tracked files differed from it.
    """

    run: str
    seed: int
    dataset: str
    split: str
    images: int
    metrics: dict[str, float]
    epochs: int
    seconds: float
    threads: int
    device: str
    torch: str
    machine: str
    commit: str | None


@dataclass(frozen=True)
class Reference:
    """The trainings of each run: its own first, then those that differ only in their seed."""

    runs: Mapping[str, Sequence[Training]]


@dataclass(frozen=True)
class Row:
    """One metric of one run.

    Attributes:
        run: Name of the run, with its data set, its split and the number of scored images.
        figure: Scorer key of the metric.
        own: Value of the user's run; None if it was not scored.
        reference: Value of the reference run; None without one.
        mean, least, most: Mean, minimum and maximum over all reference trainings of the run; None without any.
        trainings: Number of these trainings.
    """

    run: str
    figure: str
    own: float | None
    reference: float | None
    mean: float | None
    least: float | None
    most: float | None
    trainings: int


@dataclass(frozen=True)
class _Content:
    schema_version: Literal[1]
    runs: dict[str, tuple[Training, ...]]


def read_reference(folder: Path) -> Reference:
    """Read `folder/results.json`; without this file the result is empty.

    Raises:
        UserError: The file does not have the format that this module writes.
    """
    path = folder / NAME
    if not path.is_file():
        return Reference({})
    return Reference(read_json(path, _Content, "restore it from the repository").runs)


def write_results(path: Path, reference: Reference) -> None:
    """Write `results.json`; its keys are not sorted, unlike in other files, since tables use the order of the runs."""
    runs = {run: [asdict(item) for item in trainings] for run, trainings in reference.runs.items()}
    text = json.dumps({"schema_version": SCHEMA_VERSION, "runs": runs}, indent=2, ensure_ascii=False)
    with atomic_path(path) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")


def training_of(run: ScoredRun, history: Mapping[str, Any], machine: str) -> Training:
    """Return the training of a run, in the form to store.

    Args:
        run: The run with its scores.
        history: Content of its run.json.
        machine: Description of the machine, used if the history has none.

    Raises:
        UserError: A required value is missing in the history, or malformed.
    """
    protocol = run.scores.protocol
    try:
        return Training(
            run=run.run,
            seed=run.run_config.train.seed,
            dataset=run.run_config.dataset,
            split=str(protocol["split"]),
            images=int(protocol["images"]),
            metrics=dict(run.scores.metrics),
            epochs=int(history["epochs"]),
            seconds=float(history["seconds"]),
            threads=int(history["threads"]),
            device=str(history["device"]),
            torch=str(history["torch"]),
            machine=str(history.get("machine", machine)),
            commit=history.get("commit"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"history/{run.run}/run.json: {error} is missing or wrong; run rsis train {run.run}") from error


def seeds_of(params: Params, run: str) -> list[str]:
    """Return the other runs of params.yaml that equal this run in everything except, possibly, the seed."""

    def all_but_the_seed(name: str) -> dict[str, Any]:
        section = params.run(name).model_dump(mode="json")
        del section["train"]["seed"]
        return section

    wanted = all_but_the_seed(run)
    return [name for name in params.members if name != run and all_but_the_seed(name) == wanted]


def rows_of(reference: Reference, runs: Sequence[ScoredRun]) -> list[Row]:
    """Return the metrics of runs, with those of the reference trainings that were scored on the same images.

    Args:
        reference: The reference results.
        runs: The user's runs.
    """
    rows = []
    for run in runs:
        protocol = run.scores.protocol
        data = (run.run_config.dataset, protocol.get("split"), protocol.get("images"))
        same = [item for item in reference.runs.get(run.run, ()) if (item.dataset, item.split, item.images) == data]
        title = f"{run.run}: {data[0]}, {data[1]}, {data[2]} images"
        rows += _rows(title, run.scores.metrics, same)
    return rows


def reference_rows(reference: Reference) -> list[Row]:
    """Return the metrics of the reference results alone."""
    rows = []
    for run, trainings in reference.runs.items():
        first = trainings[0]
        rows += _rows(f"{run}: {first.dataset}, {first.split}, {first.images} images", {}, trainings)
    return rows


def _rows(title: str, own: Mapping[str, float], trainings: Sequence[Training]) -> list[Row]:
    rows = []
    for key in FIGURES:
        values = [item.metrics[key] for item in trainings if key in item.metrics]
        if key not in own and not values:
            continue
        first = trainings[0].metrics.get(key) if trainings else None
        mean, least, most = (fmean(values), min(values), max(values)) if values else (None, None, None)
        rows.append(Row(title, key, own.get(key), first, mean, least, most, len(values)))
    return rows
