"""Labels, units and number formats of the metrics, by scorer key."""

import math
import re
from collections.abc import Mapping

from rsis.eval.scores import Scores
from rsis.report.tables.published import Unit

LABELS = {
    "cvppp/sbd": "SBD",
    "cvppp/abs_dic": "|DiC|",
    "cvppp/dic": "DiC",
    "cvppp/fg_bg_dice": "FgBgDice",
}
SCORERS = {"cvppp": "CVPPP", "coco": "COCO", "voc": "VOC", "cityscapes": "Cityscapes"}
COUNTS = frozenset({"cvppp/dic", "cvppp/abs_dic", "cvppp/dic_std", "cvppp/abs_dic_std"})
MINUS = "\u2212"
HEADLINES = (  # the main metrics of a run, in this order
    *("cvppp/sbd", "cvppp/abs_dic", "cvppp/dic", "cvppp/fg_bg_dice"),
    *("voc/APr50", "voc/APr", "voc/AR10_iou50"),
    *("cityscapes/AP", "cityscapes/AP50", "cityscapes/AP100m", "cityscapes/AP50m"),
    *("coco/AP", "coco/AP50", "coco/AP75", "coco/AR100"),
)


def label_of(key: str) -> str:
    """Return the label of a scorer key: with the name of the scorer, unless no other scorer has such a metric."""
    scorer = key.partition("/")[0]
    return LABELS.get(key, f"{short_label_of(key)} ({SCORERS.get(scorer, scorer)})")


def short_label_of(key: str) -> str:
    """Return the label of a scorer key for places where the text around it names the scorer."""
    name = re.sub(r"_iou(\d+)$", r" at IoU .\1", key.partition("/")[2]).replace("_", " ")
    return LABELS.get(key, name)


def unit_of(key: str) -> Unit:
    """Return the unit of one of our metrics: a count per image, or a fraction."""
    return "count" if key in COUNTS else "fraction"


def value_of(scores: Scores, key: str) -> float | None:
    """Return the value of a run's metric; None if it lacks the metric.

    Args:
        scores: The scores of the run.
        key: The key of a metric, or "<scorer>/<class>_<name>": the metric "<scorer>/<name>" of one class.
    """
    if key in scores.metrics:
        return scores.metrics[key]
    scorer, _, name = key.partition("/")
    class_name, _, figure = name.partition("_")
    column = f"{scorer}/{figure}"
    if column not in scores.per_class:
        return None
    values = scores.per_class.loc[scores.per_class["class_name"] == class_name, column].dropna()
    return float(values.iloc[0]) if len(values) else None


def format_value(value: float | None, unit: Unit) -> str:
    """Return a number as text: a fraction times 100 or a count to one decimal, a tau to three; "-" if missing."""
    if value is None or math.isnan(value):
        return "-"
    return {"fraction": f"{100 * value:.1f}", "count": f"{value:.1f}", "tau": f"{value:.3f}"}[unit]


def format_headline(value: float | None, unit: Unit) -> str:
    """Return a number as `format_value` does, but a count with two decimals."""
    if value is None or math.isnan(value) or unit != "count":
        return format_value(value, unit)
    return f"{value:.2f}"


def format_difference(value: float | None, unit: Unit) -> str:
    """Return a difference as `format_value` does, with its sign; 0 has none."""
    text = format_value(value, unit)
    if text == "-":
        return text
    if not float(text):
        return text.removeprefix("-")
    return f"{MINUS}{text[1:]}" if text.startswith("-") else f"+{text}"


def difference(ours: float | None, theirs: float | None) -> float | None:
    """Return ours - theirs; None if one is missing or NaN."""
    if ours is None or theirs is None or math.isnan(ours) or math.isnan(theirs):
        return None
    return ours - theirs


def differences(ours: Mapping[str, float | None], theirs: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return `difference` for each key of `theirs`, except spreads."""
    return {key: difference(ours.get(key), value) for key, value in theirs.items() if not key.endswith("_std")}
