"""Figures of errors: IoU by decoder step, kinds of false masks, missed objects by size, reliability of the objectness.

The data are `masks.csv`, `steps.csv` and `objects.csv` of the scores (`rsis.eval.scores`). A figure shows all runs on
one data set.
"""

from collections.abc import Sequence
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from rsis.report.figures.panel import MARK, SETTINGS, ReportImage, legend, look, panel, picture, run_legend
from rsis.report.tables.protocol import ScoredRun

# correct masks first, then the errors; the colours can be told apart with the common colour-vision deficiencies
KIND_COLORS = {
    "correct": "#009e73",
    "localisation": "#e69f00",
    "duplicate": "#56b4e9",
    "classification": "#cc79a7",
    "background": "#444444",
    "ignored": "#cccccc",
}
FOUND_IOU = 0.5
SIZE_EDGES = (0.0, 0.001, 0.01, 0.05, 0.2, 1.0)  # area as a fraction of the image
SMALL = 0.01  # the paper's fourth version counts the missed objects below this fraction of the image
BINS = 10  # number of bins of the objectness


def error_figures(runs: Sequence[ScoredRun]) -> list[ReportImage]:
    """Return all figures of runs on one data set that have values to draw."""
    figures = (step_figure(runs), kind_figure(runs), miss_figure(runs), reliability_figure(runs))
    return [figure for figure in figures if figure is not None]


@mpl.rc_context(SETTINGS)
def step_figure(runs: Sequence[ScoredRun]) -> ReportImage | None:
    """Return the mean IoU of the masks of each decoder step; the IoU is that with the best overlapping true object."""
    if all(run.scores.masks.empty for run in runs):
        return None
    figure, axes = panel(f"Overlap by decoder step, {_where(runs)}", "step", "mean IoU, %")
    ends = []
    for number, run in enumerate(runs):
        masks = run.scores.masks
        if masks.empty:
            continue
        means = 100 * masks.groupby("step")["iou"].mean()
        axes.plot(means.index + 1, means.to_numpy(), label=run.run, marker="o", markersize=2.5, **look(number))
        ends.append(f"{run.run} from {means.iloc[0]:.1f} at step 1 to {means.iloc[-1]:.1f} at {means.index[-1] + 1}")
    axes.set_ylim(0, 100)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    run_legend(figure, len(runs))
    caption = f"Mean IoU of the masks of each step with the true object that each overlaps most, {_where(runs)}."
    return picture(figure, f"step-{_where(runs)}.png", f"{caption} {'; '.join(ends)} %.", caption)


@mpl.rc_context(SETTINGS)
def kind_figure(runs: Sequence[ScoredRun]) -> ReportImage | None:
    """Return a bar for each run: the fractions of its masks of each kind (`rsis.eval.mistakes`)."""
    judged = [run for run in runs if len(run.scores.masks)]
    if not judged:
        return None
    figure, axes = panel(f"Right and wrong masks, {_where(runs)}", "% of masks", "", 1.4 + 0.3 * len(judged))
    shares = pd.DataFrame({run.run: run.scores.masks["kind"].value_counts(normalize=True) for run in judged}).T
    shares = 100 * shares.reindex(columns=list(KIND_COLORS)).fillna(0.0)
    left = np.zeros(len(judged))
    for kind, color in KIND_COLORS.items():
        lengths = shares[kind].to_numpy()
        if not lengths.any():
            continue
        axes.barh(np.arange(len(judged)), lengths, 0.7, left=left, color=color, label=kind, linewidth=0)
        left += lengths
    axes.set_yticks(np.arange(len(judged)), [run.run for run in judged])
    axes.set(xlim=(0, 100), ylim=(len(judged) - 0.5, -0.5))
    axes.grid(visible=False, axis="y")
    legend(figure)
    texts = []
    for name, row in shares.iterrows():
        false = row.drop(["correct", "ignored"])
        largest = f", most of the rest {false.idxmax()} ({false.max():.0f} %)" if false.any() else ""
        texts.append(f"{name}: {row['correct']:.0f} % correct{largest}")
    caption = f"What each predicted mask is, {_where(runs)}. {'; '.join(texts)}."
    return picture(figure, f"kinds-{_where(runs)}.png", caption, caption)


@mpl.rc_context(SETTINGS)
def miss_figure(runs: Sequence[ScoredRun]) -> ReportImage | None:
    """Return the fraction of missed objects by size: of true objects that no mask overlaps with an IoU of 0.5.

    The size is the object's area as a fraction of the image.
    """
    known = [(number, run) for number, run in enumerate(runs) if len(run.scores.objects)]
    if not known:
        return None
    figure, axes = panel(f"Missed objects by size, {_where(runs)}", "object's share of the image, %", "missed, %")
    names = [f"{100 * low:g} to {100 * high:g}" for low, high in pairwise(SIZE_EDGES)]
    thickness, texts = 0.84 / len(known), []
    for place, (number, run) in enumerate(known):
        objects = run.scores.objects
        missed = objects["iou"] < FOUND_IOU
        bins = pd.cut(objects["share"], list(SIZE_EDGES), labels=names, include_lowest=True)
        rates = 100 * missed.groupby(bins, observed=False).mean()
        x = np.arange(len(names)) + (place - (len(known) - 1) / 2) * thickness
        axes.bar(x, rates.fillna(0.0).to_numpy(), thickness, color=look(number)["color"], label=run.run)
        small = 100 * (objects["share"][missed] < SMALL).mean() if missed.any() else 0.0
        texts.append(f"{run.run}: {int(missed.sum())} of {len(objects)} missed, {small:.0f} % of them under 1 %")
    axes.set_xticks(np.arange(len(names)), names)
    axes.set_ylim(0, 100)
    axes.grid(visible=False, axis="x")
    run_legend(figure, len(runs))
    caption = f"True objects that no mask overlaps by an IoU of 0.5, by size, {_where(runs)}. "
    caption += f"{'; '.join(texts)} of the image."
    return picture(figure, f"missed-{_where(runs)}.png", caption, caption)


@mpl.rc_context(SETTINGS)
def reliability_figure(runs: Sequence[ScoredRun]) -> ReportImage | None:
    """Return the reliability diagram of the objectness: how often an object remained, by objectness of the step.

    On the diagonal the objectness is the probability that an object remains.
    """
    known = [(number, run) for number, run in enumerate(runs) if len(run.scores.steps)]
    if not known:
        return None
    figure, axes = panel(f"Trust in the objectness, {_where(runs)}", "objectness", "an object was left, %")
    axes.plot([0, 1], [0, 100], color=MARK, linewidth=1, zorder=1)
    texts = []
    for number, run in known:
        table = reliability(run.scores.steps)
        share = table["steps"] / table["steps"].sum()
        axes.plot(table["objectness"], 100 * table["left"], label=run.run, linewidth=1.2, **look(number))
        axes.scatter(table["objectness"], 100 * table["left"], s=6 + 60 * share, color=look(number)["color"])
        error = float((share * (table["left"] - table["objectness"]).abs()).sum())
        texts.append(f"{run.run}: expected calibration error {error:.3f} over {int(table['steps'].sum())} steps")
    axes.set(xlim=(0, 1), ylim=(0, 102))
    run_legend(figure, len(runs))
    caption = (
        f"How often the image had an object left at steps of some objectness, {_where(runs)}, steps in tenths by "
        f"objectness; a disc's area grows with their number. {'; '.join(texts)}."
    )
    return picture(figure, f"objectness-{_where(runs)}.png", caption, caption)


def reliability(steps: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each of ten bins of the objectness that has steps.

    The columns are the mean objectness, the fraction of steps at which an object remained (0..1), and the number of
    steps.
    """
    bins = np.minimum((steps["objectness"].to_numpy(float) * BINS).astype(int), BINS - 1)
    grouped = steps.groupby(bins)
    return pd.DataFrame(
        {"objectness": grouped["objectness"].mean(), "left": grouped["left"].mean(), "steps": grouped.size()}
    )


def _where(runs: Sequence[ScoredRun]) -> str:
    return runs[0].run_config.dataset
