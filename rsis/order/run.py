"""`rsis analyze`: the order analysis of one run, as tables, figures and a page that compares it with the paper.

analysis/<run>/order.csv     mean tau of every order with its interval, see `rsis.order.correlation.summary`
analysis/<run>/images.csv    tau of every image, see `rsis.order.correlation.taus`
analysis/<run>/pairs.csv     consecutive objects, see `rsis.order.correlation.consecutive_pairs`
analysis/<run>/*.png         figures
analysis/<run>/index.md, index.html   a page with all of this; the HTML contains its pictures
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from rsis.checkpoint.file import load_checkpoint
from rsis.config.runs import RunSection
from rsis.data.prepared.file import PreparedSplit
from rsis.errors import UserError
from rsis.files.atomic import atomic_folder, check_replaceable
from rsis.files.cells import as_cell
from rsis.machine.progress import shown
from rsis.order.activations import POOLINGS, Observed, observe, untrained
from rsis.order.correlation import PATTERNS, Emission, consecutive_pairs, summary, taus
from rsis.order.figures import heat_figure, pair_figure, tau_figure
from rsis.report.render import render
from rsis.report.tables.published import Published, load_published

_SHOWN = 4  # number of images that are shown with activations


def analyze(
    name: str, run: RunSection, processed: Path, checkpoint: Path, folder: Path, *, progress: bool
) -> list[list[str]]:
    """Analyse the order in which a trained run predicts objects, and write the results.

    Args:
        name: Name of the run.
        run: Its section of params.yaml.
        processed: Folder with the prepared splits; the split `predict.split` of the run is analysed.
        checkpoint: The trained network.
        folder: The folder to write to; an earlier analysis there is replaced.
        progress: Whether to show a progress bar.

    Returns:
        The rows of the table that compares the run with the paper, its heading first.

    Raises:
        UserError: The run's network emits no sequence; the checkpoint or the split is missing or damaged, they do
            not fit each other, or no image has two predicted objects; or `folder` holds what rsis did not write.
    """
    if run.model.peer is not None:
        raise UserError(f"analyze {name}: peer {run.model.peer} emits no sequence; name a run without model.peer")
    check_replaceable(folder, "analyze")  # before minutes of analysis
    split = PreparedSplit(processed / f"{run.predict.split}.h5")
    network, info = load_checkpoint(checkpoint, expected=run.model)
    if info.size != split.size or info.class_names != split.class_names:
        raise UserError(
            f"{checkpoint}: trained on {info.size}, {info.class_names}; {split.path} has {split.size}, "
            f"{split.class_names}; run `rsis prepare {run.dataset}` and `rsis train {name}` again"
        )
    networks = {"before": untrained(run, len(info.class_names) + 1), "after": network}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    networks = {stage: item.to(device) for stage, item in networks.items()}
    seen = shown(observe(networks, split, run), f"analyze {name}", len(split), wanted=progress)
    emissions, examples = _collect(seen)
    table = taus(emissions)
    if table.empty:
        raise UserError(
            f"{checkpoint}: no image of {split.path} has two predicted objects, there is no order to analyse; train "
            "longer, or lower predict.objectness_threshold"
        )
    means, pairs = summary(table), consecutive_pairs(emissions, info.class_names)
    rows = beside_paper(means, load_published())
    figures = [tau_figure(name, means), pair_figure(name, pairs), heat_figure(name, examples)]
    facts = {"run": name, "dataset": run.dataset, "split": run.predict.split, "images": len(split)}
    context = {**facts, "ordered": table["image_id"].nunique(), "rows": rows, "figures": figures}
    context["pairs"] = [list(pairs.columns), *(_texts(row) for row in pairs.itertuples(index=False))]
    with atomic_folder(folder, "analyze") as temporary:
        for file, frame in (("order.csv", means), ("images.csv", table), ("pairs.csv", pairs)):
            texts = frame.select_dtypes(exclude=["number", "bool"]).columns
            frame = frame.assign(**{column: frame[column].map(as_cell) for column in texts})
            frame.to_csv(temporary / file, index=False, lineterminator="\n")
        for item in figures:
            (temporary / item.name).write_bytes(item.data)
        for suffix in ("md", "html"):
            text = render(f"analysis.{suffix}", context)
            (temporary / f"index.{suffix}").write_text(text, encoding="utf-8")
    return rows


def _collect(seen: Iterable[Observed]) -> tuple[list[Emission], list[Observed]]:
    """Return the emissions of all images, and `_SHOWN` images, evenly spaced over those with two objects or more.

    The number of images is not known in advance. So that few are in memory, every second one is dropped whenever more
    than twice `_SHOWN` are kept.
    """
    emissions: list[Emission] = []
    kept: list[Observed] = []
    stride, number = 1, 0
    for item in seen:
        emissions.append(item.emission)
        if len(item.masks) < 2:
            continue
        if number % stride == 0:
            kept.append(item)
        number += 1
        if len(kept) > 2 * _SHOWN:
            kept, stride = kept[::2], 2 * stride
    places = np.linspace(0, len(kept) - 1, min(_SHOWN, len(kept))).round().astype(int).tolist()
    return emissions, [kept[place] for place in places]


def beside_paper(means: pd.DataFrame, published: Published) -> list[list[str]]:
    """Return the table of our tau and the paper's as text: a heading, then a row for each order.

    Args:
        means: See `rsis.order.correlation.summary`.
        published: Results from the literature.
    """
    tables = [table for table in published.tables.values() if table.kind == "order"]
    poolings = [f"ours, {pooling} activation" for pooling in POOLINGS]
    rows = [["order", *poolings, *(f"paper, {table.title.rpartition(', ')[2]}" for table in tables)]]
    for pattern in (*PATTERNS, "f4", "f3", "f2", "f1", "f0"):
        ours = [_ours(means, pattern, pooling) for pooling in POOLINGS]
        theirs = []
        for table in tables:
            values = {row.method: table.values_of(row) for row in table.rows}[pattern]
            theirs.append(_arrow(values["order/tau_before"], values["order/tau"]))
        rows.append([pattern, *ours, *theirs])
    return rows


def _ours(means: pd.DataFrame, pattern: str, pooling: str) -> str:
    """Return "before → after [low, high]" of an order; orders by position or size have no "before" and no pooling."""
    found = means[(means["pattern"] == pattern) & means["pooling"].isin(["", pooling])]
    numbers = {row["stage"]: row for row in found.to_dict("records")}
    if "after" not in numbers:
        return "-"
    after, before = numbers["after"], numbers.get("before")
    interval = f" [{after['low']:.3f}, {after['high']:.3f}]" if np.isfinite(after["low"]) else ""
    return _arrow(None if before is None else before["tau"], after["tau"]) + interval


def _arrow(before: float | None, after: float | None) -> str:
    if after is None:
        return "-"
    return f"{after:.3f}" if before is None else f"{before:.3f} → {after:.3f}"


def _texts(row: Sequence[object]) -> list[str]:
    return [f"{100 * value:.0f} %" if isinstance(value, float) else str(value) for value in row]
