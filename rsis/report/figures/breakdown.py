"""Figures that compare all runs: by class, by IoU threshold, by number and size of the objects, by kind of error.

A panel shows the runs that can be compared: runs on one data set and, if the panel is about a scorer, with that scorer.
A run without values is not drawn; a panel without values is left out.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from rsis.report.figures.mistakes import error_figures
from rsis.report.figures.panel import COLORS, MARK, SETTINGS, ReportImage, look, panel, picture, run_legend
from rsis.report.tables.protocol import ScoredRun
from rsis.report.tables.quantities import SCORERS, label_of

CLASS_FIGURES = ("voc/APr50", "cityscapes/AP50", "coco/AP50")
FOUND_IOU = 0.5
COUNT_BINS = 8  # bins for the number of objects, if there are more than twice as many different numbers
Points = list[tuple[float, float, int]]  # x, mean score in percent, how many it is the mean of


def breakdown(runs: Sequence[ScoredRun]) -> list[ReportImage]:
    """Return all panels that have values to draw."""
    pictures = []
    for group in _by_data(runs):
        key = next((k for k in CLASS_FIGURES if any(k in run.scores.per_class for run in group)), None)
        judged = [run for run in group if key in run.scores.per_class]
        if key is not None and any(len(run.scores.per_class) > 1 for run in judged):
            pictures.append(class_figure(judged, key))
    for scorer in dict.fromkeys(scorer for run in runs for scorer in run.scorers):
        pictures += [overlap_figure(group, scorer) for group in _by_data(runs) if _curves(group, scorer)]
    for group in _by_data(runs):
        pictures += [figure for figure in (number_figure(group), size_figure(group)) if figure is not None]
        pictures += error_figures(group)
    return pictures


@mpl.rc_context(SETTINGS)
def class_figure(runs: Sequence[ScoredRun], key: str) -> ReportImage:
    """Return a bar for each class and run, the classes in the ground truth's order.

    Args:
        runs: At least one; of one data set.
        key: A column of their `per_class`. A class without objects has no bar; the caption lists it.
    """
    values = pd.DataFrame({n: _class_values(run, key) for n, run in enumerate(runs)})
    known = values.dropna(how="all")
    names, without = list(known.index), [str(name) for name in values.index if name not in known.index]
    height, thickness = 0.75 + len(names) * (0.1 + 0.12 * len(runs)) + 0.18 * len(runs), 0.84 / len(runs)
    figure, axes = panel(f"{label_of(key)} of each class", "%", "", max(height, 1.5))
    for number, run in enumerate(runs):
        places = np.arange(len(names)) + (number - (len(runs) - 1) / 2) * thickness
        hatch = "" if number < len(COLORS) else "////"
        color = COLORS[number % len(COLORS)]
        lengths = known[number].to_numpy(float)
        axes.barh(places, np.nan_to_num(lengths), thickness, color=color, label=run.run, hatch=hatch, linewidth=0)
        for place, value in zip(places[np.isfinite(lengths)], lengths[np.isfinite(lengths)], strict=True):
            axes.text(value + 1, place, f"{value:.0f}", va="center", fontsize=min(7.5, 60 * thickness), color=MARK)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set(xlim=(0, 108), ylim=(max(len(names), 1) - 0.45, -0.55))
    axes.grid(visible=False, axis="y")
    run_legend(figure, len(runs))
    where, which = runs[0].run_config.dataset, ", ".join(run.run for run in runs)
    caption = f"{label_of(key)} of each class of {where}."
    caption += f" Without objects: {', '.join(without)}." if without else ""
    return picture(figure, f"class-{key.replace('/', '-')}-{where}.png", f"{caption} Runs: {which}.", caption)


def _class_values(run: ScoredRun, key: str) -> pd.Series:
    table = run.scores.per_class.drop_duplicates("class_name").set_index("class_name")
    return 100 * pd.to_numeric(table[key], errors="coerce")


@mpl.rc_context(SETTINGS)
def overlap_figure(runs: Sequence[ScoredRun], scorer: str) -> ReportImage:
    """Return average precision by IoU threshold, a line for each run."""
    where, name = runs[0].run_config.dataset, SCORERS.get(scorer, scorer)
    figure, axes = panel(f"AP ({name}) by overlap, {where}", "IoU asked for", "AP, %")
    ends = []
    for number, run, curve in _curves(runs, scorer):
        x, y = curve["iou"].to_numpy(float), 100 * curve["ap"].to_numpy(float)
        axes.plot(x, y, label=run.run, marker="o", markersize=3, **look(number))
        ends.append(f"{run.run} from {y[0]:.1f} % at {x[0]:.2f} to {y[-1]:.1f} % at {x[-1]:.2f}")
    axes.set_ylim(0, 100)
    run_legend(figure, len(runs))
    caption = f"Average precision ({name}) on {where} over the overlap that a detection must have."
    return picture(figure, f"overlap-{scorer}-{where}.png", f"{caption} {'; '.join(ends)}.", caption)


@mpl.rc_context(SETTINGS)
def number_figure(runs: Sequence[ScoredRun]) -> ReportImage | None:
    """Return the score of an image by its true number of objects, or None if no image has an object.

    The score is the image's SBD (symmetric best dice) if all runs have it, else the fraction of its objects that some
    mask of any class overlaps with an IoU of at least 0.5.
    """
    sbd = all("cvppp/sbd" in run.scores.per_image for run in runs)
    what = "SBD" if sbd else f"objects found (IoU \u2265 {FOUND_IOU})"
    lines = [_score_by_number(run, sbd) for run in runs]
    caption = f"Mean {'SBD of the images' if sbd else 'share of objects found'} by their true number of objects"
    return _lines(runs, lines, ("Score by number of objects", "true objects in the image", f"{what}, %"), caption)


@mpl.rc_context(SETTINGS)
def size_figure(runs: Sequence[ScoredRun]) -> ReportImage | None:
    """Return the mean best IoU of the true objects by their size, or None if there is no object.

    The size of an object is the square root of its area in pixels of the original image; the area doubles from one
    bin to the next.
    """
    lines = []
    for run in runs:
        objects = run.scores.objects
        known = objects[objects["area"] > 0] if len(objects) else pd.DataFrame({"area": [], "iou": []}, dtype=float)
        step = np.floor(np.log2(known["area"].to_numpy(float)))
        lines.append(_means(np.sqrt(2 ** (step + 0.5)), known["iou"].to_numpy(float)))
    texts = ("Overlap by size of the object", "\u221aarea, pixels", "mean best IoU, %")
    return _lines(runs, lines, texts, "Mean best IoU of the true objects by their size", logarithmic=True)


def _lines(
    runs: Sequence[ScoredRun],
    lines: Sequence[Points],
    texts: tuple[str, str, str],
    caption: str,
    logarithmic: bool = False,
) -> ReportImage | None:
    """Draw a line for each run; the area of a disc grows with the number of images or objects behind its mean.

    Args:
        runs: The runs, of one data set.
        lines: The points of each run.
        texts: Title, label of the x axis, label of the y axis.
        caption: The caption, without data set and legend.
        logarithmic: Whether x is a size on a logarithmic axis; else it is a number of objects.
    """
    if not any(lines):
        return None
    where = runs[0].run_config.dataset
    figure, axes = panel(f"{texts[0]}, {where}", *texts[1:])
    most = max(n for points in lines for _, _, n in points)
    for number, (run, points) in enumerate(zip(runs, lines, strict=True)):
        if points:
            x, y, counts = (np.array(column, float) for column in zip(*points, strict=True))
            axes.plot(x, y, label=run.run, linewidth=1.2, marker="o", markersize=2.5, **look(number))
            axes.scatter(x, y, s=6 + 60 * counts / most, color=look(number)["color"], alpha=0.8, linewidths=0)
    axes.set_ylim(0, 100)
    _scale(axes, np.unique([x for points in lines for x, _, _ in points]), logarithmic)
    run_legend(figure, len(runs))
    unit = "objects" if logarithmic else "images"
    caption = f"{caption}, {where}; the area of a disc grows with the number of {unit}."
    ends = "; ".join(f"{r.run} from {p[0][1]:.1f} to {p[-1][1]:.1f} %" for r, p in zip(runs, lines, strict=True) if p)
    name = f"{'size' if logarithmic else 'number'}-{where}.png"
    return picture(figure, name, f"{caption} {ends}.", caption)


def _scale(axes: Axes, places: np.ndarray, logarithmic: bool) -> None:
    """Set the limits of the x axis around all values; with a logarithmic axis, put at most eight ticks at the bins."""
    if not logarithmic:
        axes.set_xlim(max(places[0] - 1, 0), places[-1] + 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        return
    axes.set_xscale("log", base=2)
    axes.set_xlim(places[0] / 1.3, places[-1] * 1.3)
    marked = places[:: -(-len(places) // 8)]
    axes.set_xticks(marked, [f"{place:.0f}" for place in marked])
    axes.xaxis.set_minor_locator(NullLocator())


def _score_by_number(run: ScoredRun, sbd: bool) -> Points:
    images, objects = run.scores.per_image, run.scores.objects
    if sbd:
        score = images["cvppp/sbd"]
    elif len(objects):
        score = images["image_id"].map((objects["iou"] >= FOUND_IOU).groupby(objects["image_id"]).mean())
    else:
        return []
    known = images["objects"].to_numpy(float)
    return _means(_binned(known), score.where(images["objects"] > 0).to_numpy(float))


def _binned(numbers: np.ndarray) -> np.ndarray:
    """Return each number, or the mean of its bin if there are many different numbers; bins hold equally many."""
    distinct = np.unique(numbers[numbers > 0])
    if len(distinct) <= 2 * COUNT_BINS:
        return numbers
    edges = np.unique(np.quantile(numbers[numbers > 0], np.linspace(0, 1, COUNT_BINS + 1)))
    place = np.clip(np.searchsorted(edges, numbers, side="right"), 1, len(edges) - 1)
    return np.array([numbers[place == p].mean() for p in place])


def _means(x: np.ndarray, values: np.ndarray) -> Points:
    """Return the mean of the values at each x, in percent; NaN is left out."""
    defined = np.isfinite(x) & np.isfinite(values)
    places, which, counts = np.unique(x[defined], return_inverse=True, return_counts=True)
    means = 100 * np.bincount(which, values[defined], minlength=len(places)) / np.maximum(counts, 1)
    return list(zip(places.tolist(), means.tolist(), counts.tolist(), strict=True))


def _curves(runs: Sequence[ScoredRun], scorer: str) -> list[tuple[int, ScoredRun, pd.DataFrame]]:
    """Return the index, the run and the defined points of each run that has a curve of the scorer."""
    found = []
    for number, run in enumerate(runs):
        curves = run.scores.curves
        if "scorer" in curves:
            curve = curves[curves["scorer"] == scorer].dropna(subset=["iou", "ap"])
            found += [(number, run, curve)] if len(curve) else []
    return found


def _by_data(runs: Sequence[ScoredRun]) -> Iterator[list[ScoredRun]]:
    """Yield the runs of each data set, in the order in which the data sets first appear."""
    order = {name: n for n, name in enumerate(dict.fromkeys(run.run_config.dataset for run in runs))}
    placed = sorted(runs, key=lambda run: order[run.run_config.dataset])
    for _, group in groupby(placed, key=lambda run: run.run_config.dataset):
        yield list(group)
