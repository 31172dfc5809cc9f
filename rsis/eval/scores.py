"""The results of scoring a run, and the files that store them.

`metrics/<run>.json` is a flat JSON object of numbers, sorted by key, for `dvc metrics`. Keys name their
scorer ("cvppp/sbd", "coco/AP50"). All values are fractions 0..1 except for the counts cvppp/dic and cvppp/abs_dic.
A metric that is not defined for the data is left out (coco/AP_small without small objects). The metrics of a split
other than the run's own are in `scores/<run>-<split>.json`, the tables in `scores/<run>-<split>/`.

`scores/<run>/` contains the tables behind the metrics:

    per_image.csv   image_id, objects (true), predicted (masks), and a column per metric and scorer
    per_class.csv   class_name, objects, and a column per metric and scorer; empty where not defined
    objects.csv     a row per true object: image_id, class_name, area (pixels), iou (highest with a mask of any class),
                    step (decoder step of that mask; empty if no mask overlaps), share (area as fraction of the image)
    masks.csv       a row per predicted mask: image_id, step, class_name, objectness, iou, kind; see
                    `rsis.eval.mistakes`
    steps.csv       a row per decoder step that was run: image_id, step, objectness, left; see `rsis.eval.mistakes`
    curves.csv      scorer, iou, ap: average precision at each IoU threshold
    protocol.json   the conditions of the measurement, see `Scores`
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import FiniteFloat

from rsis.errors import UserError
from rsis.files.atomic import atomic_folder, atomic_path, read_json
from rsis.files.cells import as_cell, from_cell

OBJECT_COLUMNS = ("image_id", "class_name", "area", "iou", "step", "share")
MASK_COLUMNS = ("image_id", "step", "class_name", "objectness", "iou", "kind")
STEP_COLUMNS = ("image_id", "step", "objectness", "left")
CURVE_COLUMNS = ("scorer", "iou", "ap")


@dataclass(frozen=True)
class ScorerResult:
    """The result of one scorer for a prediction file.

    Attributes:
        version: Name and version of the implementation.
        metrics: Values by key "scorer/name".
        per_image: Column image_id and columns "scorer/name", in the order of the images.
        per_class: Column class_name and columns "scorer/name", in the order of the ground truth.
        curve: Columns iou (threshold) and ap (average precision at it); None if the scorer has no curve.
    """

    version: str
    metrics: dict[str, float]
    per_image: pd.DataFrame
    per_class: pd.DataFrame
    curve: pd.DataFrame | None = None


@dataclass(frozen=True)
class Scores:
    """All metrics of a run, the tables behind them, and the conditions of the measurement.

    Attributes:
        metrics: Values by key "scorer/name"; fractions 0..1 except for counts.
        per_image: Columns image_id, objects, predicted, then "scorer/name".
        per_class: Columns class_name, objects, then "scorer/name"; NaN where not defined.
        objects: Columns image_id, class_name, area, iou, step, share: one row per true object.
        curves: Columns scorer, iou, ap.
        protocol: JSON values: dataset, split, run, checkpoint (SHA-256), images (how many were scored),
            left_out (ids of images without a prediction), objects (true ones in the scored images),
            scorers (name: version), rules (section `score` of the run), predict (parameters of the prediction).
        masks: Columns image_id, step, class_name, objectness, iou, kind: one row per predicted mask.
        steps: Columns image_id, step, objectness, left: one row per decoder step that was run.
    """

    metrics: dict[str, float]
    per_image: pd.DataFrame
    per_class: pd.DataFrame
    objects: pd.DataFrame
    curves: pd.DataFrame
    protocol: dict[str, Any]
    masks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(MASK_COLUMNS)))
    steps: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(STEP_COLUMNS)))


def write_scores(scores: Scores, metrics_path: Path, folder: Path) -> None:
    """Write the metrics file and the folder of tables; old ones are replaced.

    Raises:
        UserError: A file cannot be written, or `folder` contains files that rsis did not write.
    """
    with atomic_folder(folder, "score") as temporary:
        _write_table(scores.per_image, temporary / "per_image.csv")
        _write_table(scores.per_class, temporary / "per_class.csv")
        _write_table(scores.objects, temporary / "objects.csv")
        _write_table(scores.masks, temporary / "masks.csv")
        _write_table(scores.steps, temporary / "steps.csv")
        _write_table(scores.curves, temporary / "curves.csv")
        _write_json(scores.protocol, temporary / "protocol.json")
    with atomic_path(metrics_path) as temporary:
        _write_json(scores.metrics, temporary)


def read_scores(metrics_path: Path, folder: Path) -> Scores:
    """Read the files of `write_scores`.

    Raises:
        UserError: A file is missing or malformed.
    """
    remedy = "run `rsis score RUN` again"
    return Scores(
        metrics=read_json(metrics_path, dict[str, FiniteFloat], remedy),
        per_image=_read_table(folder / "per_image.csv", ("image_id", "objects", "predicted"), remedy),
        per_class=_read_table(folder / "per_class.csv", ("class_name", "objects"), remedy),
        objects=_read_table(folder / "objects.csv", OBJECT_COLUMNS, remedy),
        masks=_read_table(folder / "masks.csv", MASK_COLUMNS, remedy),
        steps=_read_table(folder / "steps.csv", STEP_COLUMNS, remedy),
        curves=_read_table(folder / "curves.csv", CURVE_COLUMNS, remedy),
        protocol=read_json(folder / "protocol.json", dict[str, Any], remedy),
    )


def _write_json(values: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def _write_table(table: pd.DataFrame, path: Path) -> None:
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    table = table.assign(**{column: table[column].map(as_cell) for column in texts})
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _read_table(path: Path, columns: tuple[str, ...], remedy: str) -> pd.DataFrame:
    names = columns[0]
    try:  # names are read as text, since an image may be called "001" or "NA"
        table = pd.read_csv(path, dtype={names: str}, keep_default_na=False, na_values=[""])
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); {remedy}") from error
    except ValueError as error:  # parser errors of pandas and encoding errors are ValueErrors
        raise UserError(f"{path}: not a CSV table ({' '.join(str(error).split())}); {remedy}") from error
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    table = table.assign(**{column: table[column].map(from_cell, na_action="ignore") for column in texts})
    if tuple(table.columns[: len(columns)]) != columns:
        raise UserError(f"{path}: starts with columns {list(table.columns)}; expected {list(columns)}; {remedy}")
    return table
