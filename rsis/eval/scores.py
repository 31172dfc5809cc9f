"""What scoring a run gives, and the files that keep it.

`metrics/<run>.json` is a flat JSON object of numbers, sorted by key, for `dvc metrics`. Keys name their
scorer ("cvppp/sbd", "coco/AP50"); all are fractions 0..1 but the counts cvppp/dic and cvppp/abs_dic.
A figure that is not defined for the data (no small object: no coco/AP_small) is left out. Figures of another split
than the run's own are `scores/<run>-<split>.json`, their tables `scores/<run>-<split>/`.

`scores/<run>/` has what stands behind it:

    per_image.csv   image_id, objects (true ones), predicted, and a column per figure and scorer
    per_class.csv   class_name, objects, and a column per figure and scorer; empty where not defined
    objects.csv     image_id, class_name, area (pixels), iou (with the mask that fits best, any class),
                    step (decoder step of that mask; empty where none touches the object), share (of the image)
    masks.csv       image_id, step, class_name, objectness, iou, kind: a row per predicted mask, see
                    `rsis.eval.mistakes`
    steps.csv       image_id, step, objectness, left: a row per decoder step that was run
    curves.csv      scorer, iou, ap: average precision over the overlap that a detection must have
    protocol.json   how it was measured, see `Scores`
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import FiniteFloat

from rsis.errors import UserError
from rsis.files.atomic import atomic_folder, atomic_path, read_json

OBJECT_COLUMNS = ("image_id", "class_name", "area", "iou", "step", "share")
MASK_COLUMNS = ("image_id", "step", "class_name", "objectness", "iou", "kind")
STEP_COLUMNS = ("image_id", "step", "objectness", "left")
CURVE_COLUMNS = ("scorer", "iou", "ap")


@dataclass(frozen=True)
class ScorerResult:
    """What one scorer says of a prediction file.

    Attributes:
        version: Which implementation judged.
        metrics: Keys "scorer/name".
        per_image: Column image_id and columns "scorer/name", in the prediction file's order.
        per_class: Column class_name and columns "scorer/name", in the ground truth's order.
        curve: Columns iou and ap, average precision over the overlap asked for; None where it has none.
    """

    version: str
    metrics: dict[str, float]
    per_image: pd.DataFrame
    per_class: pd.DataFrame
    curve: pd.DataFrame | None = None


@dataclass(frozen=True)
class Scores:
    """All figures of a run, with what they stand on.

    Attributes:
        metrics: Keys "scorer/name"; fractions 0..1 but for counts.
        per_image: Columns image_id, objects, predicted, then "scorer/name".
        per_class: Columns class_name, objects, then "scorer/name"; NaN where not defined.
        objects: Columns image_id, class_name, area, iou, step, share: one row per true object.
        curves: Columns scorer, iou, ap.
        protocol: JSON values: dataset, split, run, checkpoint (SHA-256), images (how many were scored),
            left_out (ids that the preparation skipped), objects (true ones in the images scored),
            scorers (name: version), rules (section `score` of the run), predict (its parameters).
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
    """Write `metrics_path` and the files of `folder`, replacing what was there.

    Raises:
        UserError: One of them cannot be written.
    """
    with atomic_folder(folder) as temporary:
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
    """Read what `write_scores` wrote.

    Raises:
        UserError: A file is missing or is not what this module writes.
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
    table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _read_table(path: Path, columns: tuple[str, ...], remedy: str) -> pd.DataFrame:
    names = columns[0]
    try:  # an image may be called "001" or "NA": read its name as the text it is
        table = pd.read_csv(path, dtype={names: str}, keep_default_na=False, na_values=[""])
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); {remedy}") from error
    except ValueError as error:  # pandas' parser errors and wrong text encodings are ValueErrors
        raise UserError(f"{path}: not a CSV table ({' '.join(str(error).split())}); {remedy}") from error
    if tuple(table.columns[: len(columns)]) != columns:
        raise UserError(f"{path}: starts with columns {list(table.columns)}; expected {list(columns)}; {remedy}")
    return table
