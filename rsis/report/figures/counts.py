"""Figures of one run: its numbers of objects, and the distribution of its images' scores."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator

from rsis.report.figures.panel import BLUE, MARK, RED, SETTINGS, ReportImage, legend, panel, picture


@mpl.rc_context(SETTINGS)
def count_figure(run: str, true: Sequence[int], predicted: Sequence[int]) -> ReportImage:
    """Return predicted against true number of objects; the area of a disc grows with its number of images."""
    pairs, images = np.unique(np.column_stack([true, predicted]).astype(int), axis=0, return_counts=True)
    high = int(pairs.max(initial=1)) + 1
    figure, axes = panel("Objects per image", "true", "predicted")
    axes.plot([0, high], [0, high], color=MARK, linewidth=1, zorder=1)
    areas = 26.0 * images * min(1.0, 40 / images.max(initial=1))  # the largest disc must not cover the panel
    axes.scatter(pairs[:, 0], pairs[:, 1], s=areas, color=BLUE, alpha=0.75, linewidths=0, zorder=2)
    axes.set(xlim=(0, high), ylim=(0, high))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    exact = int(sum(n for (t, p), n in zip(pairs, images, strict=True) if t == p))
    text = f"The count is exact on {exact} of {len(true)} images."
    caption = f"Predicted against true count; the area of a disc grows with the number of images. {text}"
    alt = f"Predicted against true objects per image, run {run}. {text}"
    return picture(figure, f"{run}-counts.png", alt, caption)


@mpl.rc_context(SETTINGS)
def score_figure(run: str, sbd: Sequence[float]) -> ReportImage:
    """Return a histogram of the images' symmetric best dice (fractions 0..1), in bins of 5 %."""
    values = 100 * np.asarray(sbd, float)
    low = 5 * int(np.clip(values.min(initial=100) // 5, 0, 19))
    figure, axes = panel("SBD of each image", "SBD, %", "images")
    axes.hist(values, bins=np.arange(low, 100.1, 5).tolist(), color=BLUE, alpha=0.85, edgecolor="white", linewidth=0.8)
    axes.axvline(float(values.mean()), color=RED, linewidth=1.4, label=f"mean {values.mean():.1f}")
    axes.set_xlim(low, 100)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    legend(figure)
    text = f"Lowest {values.min():.1f}, median {np.median(values):.1f}, highest {values.max():.1f} %."
    caption = f"Distribution of the images' symmetric best Dice. {text}"
    return picture(figure, f"{run}-sbd.png", f"Histogram of SBD over {len(values)} images, run {run}. {text}", caption)
