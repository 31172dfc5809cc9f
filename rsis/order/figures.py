"""Figures of the order analysis: tau of every order, directions of pairs, activations with first and last objects."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rsis.order.activations import STAGES, Observed
from rsis.report.figures.panel import BLUE, INK, MARK, RED, SETTINGS, ReportImage, legend, panel, picture

_FIRST, _LAST = "#e69f00", "#56b4e9"
_MOST_ROWS = 12  # most pairs of classes that are shown


@mpl.rc_context(SETTINGS)
def tau_figure(run: str, table: pd.DataFrame) -> ReportImage:
    """Return the mean tau of each order with its interval; for blocks, of the mean activation.

    Args:
        run: Name of the run.
        table: See `rsis.order.correlation.summary`.
    """
    shown = table[table["pooling"].isin(["", "mean"])]
    names = list(dict.fromkeys(shown["pattern"]))
    figure, axes = panel("Predicted order against other orders", "Kendall's tau", "", 0.9 + 0.32 * len(names))
    for stage, color, offset in zip(STAGES, (MARK, BLUE), (-0.14, 0.14), strict=True):
        part = shown[shown["stage"] == stage]
        places = np.array([names.index(name) for name in part["pattern"]]) + offset
        reach = np.nan_to_num(np.abs(part[["low", "high"]].to_numpy().T - part["tau"].to_numpy()))
        axes.errorbar(part["tau"], places, xerr=reach, fmt="o", markersize=3.5, color=color, label=f"{stage} training")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set(xlim=(-1, 1), ylim=(len(names) - 0.5, -0.5))
    legend(figure, 2)
    after = shown[shown["stage"] == "after"]
    strongest = after.iloc[int(after["tau"].abs().argmax())]
    caption = (
        "Mean over images with its 95 % bootstrap interval; f0 is the deepest block, by the mean activation in each "
        f"mask. The strongest after training is {strongest['pattern']}, {strongest['tau']:.3f}."
    )
    return picture(figure, "tau.png", f"Kendall's tau of the predicted order, run {run}. {caption}", caption)


@mpl.rc_context(SETTINGS)
def pair_figure(run: str, pairs: pd.DataFrame) -> ReportImage:
    """Return the directions in which consecutive objects move, a row for each two classes (`consecutive_pairs`)."""
    shown = pairs.head(_MOST_ROWS)
    figure = Figure(figsize=(7.2, 1.3 + 0.26 * len(shown)), dpi=110, layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    names = [f"{row['first']} → {row['second']} ({row['pairs']})" for _, row in shown.iterrows()]
    directions = list(pairs.columns[3:])
    for k, axis in enumerate(axes):
        falls, rises = directions[2 * k], directions[2 * k + 1]
        axis.barh(np.arange(len(shown)), -100 * shown[falls], color=BLUE, linewidth=0)
        axis.barh(np.arange(len(shown)), 100 * shown[rises], color=RED, linewidth=0)
        axis.axvline(0, color=INK, linewidth=0.8)
        axis.set_title(f"← {falls}   {rises} →", fontsize=7.5, loc="center")
        axis.set(xlim=(-100, 100), ylim=(len(shown) - 0.5, -0.5))
        axis.set_xticks([-100, 0, 100], ["100 %", "0", "100 %"])
    axes[0].set_yticks(np.arange(len(shown)), names)
    caption = (
        "Share of consecutive objects that move each way by more than 15 % of the axis (of the larger area), by their "
        "classes; in brackets the number of pairs."
    )
    every = pairs.iloc[0]
    moves = ", ".join(f"{name} {100 * every[name]:.0f} %" for name in directions)
    return picture(figure, "pairs.png", f"{caption} All pairs of run {run}: {moves}.", caption)


@mpl.rc_context(SETTINGS)
def heat_figure(run: str, observed: Sequence[Observed]) -> ReportImage:
    """Return the activation of the deepest block before and after training, with the first and the last object.

    Args:
        run: Name of the run.
        observed: Images to show, each with two objects or more.
    """
    block = min(name for name, _ in observed[0].maps)
    figure = Figure(figsize=(5.4, 1.75 * len(observed) + 0.5), dpi=130, layout="constrained")
    axes = figure.subplots(len(observed), 1 + len(STAGES), squeeze=False)
    for row, item in zip(axes, observed, strict=True):
        row[0].imshow(item.image)
        for axis, stage in zip(row[1:], STAGES, strict=True):
            axis.imshow(item.maps[block, stage], cmap="magma")
        for axis in row:
            for mask, color in ((item.masks[0], _FIRST), (item.masks[-1], _LAST)):
                axis.contour(mask.astype(float), [0.5], colors=[color], linewidths=1.2)
            axis.set_axis_off()
            axis.grid(visible=False)
    for axis, title in zip(axes[0], ("image", f"{block} before", f"{block} after"), strict=True):
        axis.set_title(title, loc="center")
    caption = (
        f"Activation of block {block}, bright = high, before and after training; orange: the first object that was "
        "emitted, blue: the last. The images are evenly spaced over those with two objects or more."
    )
    return picture(figure, "activations.png", f"Run {run}. {caption}", caption)
