"""Learning curves of a run, read from its training history: a panel for each loss term."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rsis.errors import UserError
from rsis.report.figures.panel import BLUE, MARK, RED, SETTINGS, ReportImage, legend, panel, picture

Curves = Mapping[str, pd.Series]

TERMS = {
    "total": "Total loss",
    "mask": "Mask loss, 1 - soft IoU",
    "stop": "Objectness loss",
    "class": "Class loss",
    "box": "Box loss",
}
GROUPS = ("train", "val", "schedule")


def read_curves(history: Path) -> dict[str, pd.Series]:
    """Read a training history: values by epoch, for each of "train/total", "val/mask", "schedule/lr", ...

    Args:
        history: Folder with `plots/metrics/<group>/<name>.tsv`, columns `step` and `<name>`.

    Returns:
        Float series indexed by epoch (int, counted from 0). Epochs without a finite value are left out; a curve
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
def learning_curves(run: str, curves: Curves) -> list[ReportImage]:
    """Return a panel for each loss term that has values, and one for the number of decoder steps."""
    start = term_start(curves, "stop")
    last = max((int(curve.index[-1]) for curve in curves.values() if not curve.empty), default=0)
    pictures = []
    for term, title in TERMS.items():
        train, val = (curves.get(f"{group}/{term}", pd.Series(dtype=float)) for group in ("train", "val"))
        if (train.empty and val.empty) or (term in ("class", "stop") and term_start(curves, term) is None):
            continue  # the values of a term that was never switched on are those of an untrained head
        figure, axes = panel(title, "epoch", "")
        _line(axes, train, "training", BLUE)
        _line(axes, val, "validation", RED)
        if term != "stop":
            _mark_start(axes, start)
        _frame(figure, axes, last)
        alt = f"{title} of run {run} by epoch{_ends(train, 'training')}{_ends(val, 'validation')}."
        pictures.append(picture(figure, f"{run}-loss-{term}.png", alt))
    steps, objects = (curves.get(f"schedule/{k}", pd.Series(dtype=float)) for k in ("num_steps", "objects_per_image"))
    if not steps.empty or not objects.empty:
        figure, axes = panel("Length of the sequence", "epoch", "")
        _line(axes, steps, "decoder steps", BLUE, drawstyle="steps-post")
        _line(axes, objects, "objects per image", RED)
        _mark_start(axes, start)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _frame(figure, axes, last)
        alt = f"Decoder steps of run {run} by epoch{_ends(steps, 'steps')}{_ends(objects, 'objects per image')}."
        pictures.append(picture(figure, f"{run}-sequence.png", alt))
    return pictures


def term_start(curves: Curves, term: str) -> int | None:
    """Return the first epoch in which a loss term was part of the total, or None if it never was.

    If the history lacks the schedule's curves, this is the epoch of the term's first value.
    """
    in_force = curves.get(f"schedule/{term}_in_force")
    if in_force is not None:
        return min((int(epoch) for epoch in in_force.index[in_force > 0]), default=None)
    epochs = [int(c.index[0]) for g in ("train", "val") if not (c := curves.get(f"{g}/{term}", pd.Series())).empty]
    return min(epochs, default=None)


def _line(axes: Axes, values: pd.Series, label: str, color: str, drawstyle: str = "default") -> None:
    if not values.empty:
        marker = "o" if len(values) == 1 else ""
        x, y = values.index.to_numpy(), values.to_numpy()
        axes.plot(x, y, color=color, label=label, drawstyle=drawstyle, marker=marker, markersize=4)


def _mark_start(axes: Axes, epoch: int | None) -> None:
    if epoch is not None:
        axes.axvline(epoch, color=MARK, linewidth=1, linestyle=(0, (3, 2)), label=f"objectness from {epoch}")


def _frame(figure: Figure, axes: Axes, last: int) -> None:
    """Set the x axis to epochs 0 to `last` in all panels of a run, start the y axis at 0, and add the legend."""
    axes.set_xlim(-0.02 * max(last, 1), 1.02 * max(last, 1))
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(figure)


def _ends(values: pd.Series, what: str) -> str:
    return "" if values.empty else f"; {what} from {values.iloc[0]:.3g} to {values.iloc[-1]:.3g}"
