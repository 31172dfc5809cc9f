"""Figures of a report as PNG bytes: learning curves, counts, distribution of scores.

Drawn with matplotlib's object interface on the Agg canvas under a fixed style, so the same numbers give
the same bytes whatever the user's own matplotlib settings. Each figure is a small panel, legible at the
width of a phone, and a palette image of some ten kilobytes.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from rsis.errors import UserError

Curves = Mapping[str, pd.Series]

TRAIN, VAL, MARK, INK = "#0072b2", "#d55e00", "#777777", "#222222"
TERMS = {"total": "Total loss", "mask": "Mask loss, 1 - soft IoU", "stop": "Objectness loss", "class": "Class loss"}
GROUPS = ("train", "val", "schedule")
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MARK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "path.simplify": True,
    "figure.facecolor": "white",
}
# Settings in force while a figure is made, whatever the user's own; the backend is none of them.
SETTINGS: dict[Any, Any] = {key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"} | STYLE


@dataclass(frozen=True)
class Picture:
    """An encoded image of the report.

    Attributes:
        name: File name with its suffix, unique in the report.
        data: PNG or JPEG bytes.
        alt: What it shows, for who cannot see it.
        caption: Its caption; empty where the text around it says enough.
        size: (H, W) in pixels.
    """

    name: str
    data: bytes
    alt: str
    caption: str
    size: tuple[int, int]


def read_curves(history: Path) -> dict[str, pd.Series]:
    """Read a training history: values by epoch, for each of "train/total", "val/mask", "schedule/lr", ...

    Args:
        history: Folder with `plots/metrics/<group>/<name>.tsv`, columns `step` and `<name>`.

    Returns:
        Float series indexed by epoch (int, counted from 0). Epochs without a value are left out; a curve
        without any is empty; a curve without a file is missing.

    Raises:
        UserError: A file is not such a table.
    """
    curves = {}
    for path in sorted(p for group in GROUPS for p in (history / "plots" / "metrics" / group).glob("*.tsv")):
        again = "remove it and run rsis train again"
        try:
            table = pd.read_csv(path, sep="\t")
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not a table of tab-separated values ({error}); {again}") from error
        if not {"step", path.stem} <= set(table.columns):
            raise UserError(f"{path}: has columns {', '.join(table.columns)}; needs step and {path.stem}; {again}")
        values = pd.Series(pd.to_numeric(table[path.stem], errors="coerce").to_numpy(float), table["step"].astype(int))
        curves[f"{path.parent.name}/{path.stem}"] = values[np.isfinite(values)].groupby(level=0).last()
    return curves


@mpl.rc_context(SETTINGS)
def learning_curves(run: str, curves: Curves) -> list[Picture]:
    """Return a panel for each loss term that has values, and one for the length of the sequence."""
    start = term_start(curves, "stop")
    last = max((int(curve.index[-1]) for curve in curves.values() if not curve.empty), default=0)
    pictures = []
    for term, title in TERMS.items():
        train, val = (curves.get(f"{group}/{term}", pd.Series(dtype=float)) for group in ("train", "val"))
        if train.empty and val.empty:
            continue
        figure, axes = _panel(title, "epoch", "")
        _line(axes, train, "training", TRAIN)
        _line(axes, val, "validation", VAL)
        if term != "stop":
            _mark_start(axes, start)
        _frame(figure, axes, last)
        alt = f"{title} of run {run} by epoch{_ends(train, 'training')}{_ends(val, 'validation')}."
        pictures.append(_picture(figure, f"{run}-loss-{term}.png", alt))
    steps, objects = (curves.get(f"schedule/{k}", pd.Series(dtype=float)) for k in ("num_steps", "objects_per_image"))
    if not steps.empty or not objects.empty:
        figure, axes = _panel("Length of the sequence", "epoch", "")
        _line(axes, steps, "decoder steps", TRAIN, drawstyle="steps-post")
        _line(axes, objects, "objects per image", VAL)
        _mark_start(axes, start)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _frame(figure, axes, last)
        alt = f"Decoder steps of run {run} by epoch{_ends(steps, 'steps')}{_ends(objects, 'objects per image')}."
        pictures.append(_picture(figure, f"{run}-sequence.png", alt))
    return pictures


def term_start(curves: Curves, term: str) -> int | None:
    """Return the first epoch in which a loss term has a value, or None if it never had one."""
    epochs = [int(c.index[0]) for g in ("train", "val") if not (c := curves.get(f"{g}/{term}", pd.Series())).empty]
    return min(epochs, default=None)


@mpl.rc_context(SETTINGS)
def count_figure(run: str, true: Sequence[int], predicted: Sequence[int]) -> Picture:
    """Return predicted against true number of objects; a disc's area is the number of images on it."""
    pairs, images = np.unique(np.column_stack([true, predicted]), axis=0, return_counts=True)
    high = int(pairs.max(initial=1)) + 1
    figure, axes = _panel("Objects per image", "true", "predicted")
    axes.plot([0, high], [0, high], color=MARK, linewidth=1, zorder=1)
    axes.scatter(pairs[:, 0], pairs[:, 1], s=26.0 * images, color=TRAIN, alpha=0.75, linewidths=0, zorder=2)
    axes.set(xlim=(0, high), ylim=(0, high))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    exact = int(sum(n for (t, p), n in zip(pairs, images, strict=True) if t == p))
    text = f"The count is exact on {exact} of {len(true)} images."
    caption = f"Predicted against true count; the area of a disc is the number of images. {text}"
    alt = f"Predicted against true objects per image, run {run}. {text}"
    return _picture(figure, f"{run}-counts.png", alt, caption)


@mpl.rc_context(SETTINGS)
def score_figure(run: str, sbd: Sequence[float]) -> Picture:
    """Return the distribution of the images' symmetric best Dice (fractions), in classes of 5 %."""
    values = 100 * np.asarray(sbd, float)
    low = 5 * int(np.clip(values.min(initial=100) // 5, 0, 19))
    figure, axes = _panel("SBD of each image", "SBD, %", "images")
    axes.hist(values, bins=np.arange(low, 100.1, 5).tolist(), color=TRAIN, alpha=0.85, edgecolor="white", linewidth=0.8)
    axes.axvline(float(values.mean()), color=VAL, linewidth=1.4, label=f"mean {values.mean():.1f}")
    axes.set_xlim(low, 100)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", fontsize=8)
    text = f"Lowest {values.min():.1f}, median {np.median(values):.1f}, highest {values.max():.1f} %."
    caption = f"Distribution of the images' symmetric best Dice. {text}"
    return _picture(figure, f"{run}-sbd.png", f"Histogram of SBD over {len(values)} images, run {run}. {text}", caption)


def _panel(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(3.9, 2.75), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def _line(axes: Axes, values: pd.Series, label: str, color: str, drawstyle: str = "default") -> None:
    if not values.empty:
        marker = "o" if len(values) == 1 else ""
        x, y = values.index.to_numpy(), values.to_numpy()
        axes.plot(x, y, color=color, label=label, drawstyle=drawstyle, marker=marker, markersize=4)


def _mark_start(axes: Axes, epoch: int | None) -> None:
    if epoch is not None:
        axes.axvline(epoch, color=MARK, linewidth=1, linestyle=(0, (3, 2)), label=f"objectness from {epoch}")


def _frame(figure: Figure, axes: Axes, last: int) -> None:
    """Give every curve of a run the same epochs, a scale from 0, and its legend below."""
    axes.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, columnspacing=1.0, handlelength=1.3)


def _ends(values: pd.Series, what: str) -> str:
    return "" if values.empty else f"; {what} from {values.iloc[0]:.3g} to {values.iloc[-1]:.3g}"


def _picture(figure: Figure, name: str, alt: str, caption: str = "") -> Picture:
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi="figure", metadata={"Software": None})
    with Image.open(file) as image:
        drawn = image.convert("RGB")
    file = io.BytesIO()
    drawn.quantize(64, dither=Image.Dither.NONE).save(file, format="PNG", optimize=True)
    return Picture(name, file.getvalue(), alt, caption, (drawn.height, drawn.width))
