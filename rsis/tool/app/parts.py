"""Parts of the web page: its theme, the bars of objectness, the gallery, and the results of several pictures."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from PIL import Image

from rsis.tool.formats.write import FORMATS
from rsis.tool.image_files import write_results
from rsis.tool.outputs import What
from rsis.tool.predictor import RSIS
from rsis.tool.result import ImageResult
from rsis.tool.tiles import Tiling

COUNT_COLUMNS = ("picture", "objects", "mean area", "whole area")


def theme() -> gr.Theme:
    """Return the theme of the page, with fonts that every machine has."""
    fonts: Any = {"font": ("system-ui", "sans-serif"), "font_mono": ("ui-monospace", "monospace")}
    return gr.themes.Base(primary_hue="blue", **fonts)


def bars(result: ImageResult) -> str:
    """Return the objectness of each step as HTML bars; the bar of a step without an object is grey."""
    kept = {item.step for item in result.instances}
    rows = []
    for step, value in enumerate(np.asarray(result.objectness).tolist()):
        kind = "bar" if step in kept else "bar off"
        rows.append(
            f'<div class="{kind}"><span>{step + 1}</span><div style="width: {max(1, round(80 * value))}%"></div>'
            f"<span>{value:.2f}</span></div>"
        )
    return f"<div>Objectness of each step</div>{''.join(rows)}"


def gallery(examples: Sequence[tuple[Path, Image.Image]]) -> gr.Gallery:
    """Return the small images of the examples, to click on."""
    return gr.Gallery(
        [image for _, image in examples],
        label="Examples to click on",
        elem_id="examples",
        columns=3,
        height=190,
        allow_preview=False,
        interactive=False,
        visible=bool(examples),
        buttons=[],
    )


def choices(paths: list[str] | None) -> gr.Dropdown:
    """Return the choice among uploaded pictures, with the first one chosen."""
    found = [(Path(path).name, str(number)) for number, path in enumerate(paths or ())]
    return gr.Dropdown(found, value="0" if found else None, visible=len(found) > 1)


def picked(paths: list[str] | None, chosen: str | None) -> str | None:
    """Return the chosen one of the uploaded pictures: a visitor says its number, never a path of this machine."""
    number = int(chosen) if chosen is not None and chosen.isdecimal() else 0
    return paths[number] if paths and number < len(paths) else None


def new_folder() -> Path:
    """Make a folder for downloads, which is deleted with the uploads."""
    return Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]))


def results_of_all(
    model: RSIS, uploads: Sequence[str], tiling: Tiling | None, objectness: float, mask: float
) -> tuple[pd.DataFrame, str, tuple[str, ...]]:
    """Find the objects of all pictures, and write them in all formats.

    Args:
        model: The network.
        uploads: The files.
        tiling: How to cut pictures into tiles, if at all.
        objectness: Threshold of objectness.
        mask: Threshold of masks.

    Returns:
        A table of counts and areas in pixels, a row for each picture; the path of a ZIP file with what
        `rsis predict-images` writes; and a line for each file that could not be read.

    Raises:
        UserError: See `write_results`.
    """
    given, out = new_folder(), new_folder() / "found"
    for number, upload in enumerate(uploads):  # the server keeps each upload in a folder of its own
        name = Path(upload).name
        target = given / name if not (given / name).exists() else given / f"{number + 1}_{name}"
        target.symlink_to(upload)
    written = write_results(
        model,
        [given],
        out,
        what=What(formats=FORMATS),
        tiling=tiling,
        objectness_threshold=objectness,
        mask_threshold=mask,
    )
    images, objects = pd.read_csv(out / "images.csv"), pd.read_csv(out / "objects.csv")
    areas = objects.groupby("image")["area"].sum().reindex(images["image"], fill_value=0).to_numpy()
    counts = images["count"].to_numpy()
    mean = np.round(areas / np.maximum(counts, 1), 1)
    names = [Path(str(name)).name for name in images["image"]]
    table = pd.DataFrame(dict(zip(COUNT_COLUMNS, (names, counts, mean, areas), strict=True)))
    archive = shutil.make_archive(str(out), "zip", out)
    return table, archive, tuple(line.replace(f"{given}/", "") for line in written.skipped)
