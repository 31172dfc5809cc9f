"""What stands where on the web page; `rsis.tool.app.page` says what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from rsis.checkpoint.info import CheckpointInfo
from rsis.config.runs import PredictSection
from rsis.tool.app.parts import COUNT_COLUMNS, gallery

COLUMNS = ("number", "class", "score", "objectness", "area")


@dataclass(frozen=True)
class Network:
    """The choice among networks, and what is said of the chosen one.

    Attributes:
        choice: Among the networks, by number; hidden where there is one.
        heading: Its run, data set and classes.
        description: Everything in its checkpoint.
    """

    choice: gr.Dropdown
    heading: gr.Markdown
    description: gr.JSON


@dataclass(frozen=True)
class Inputs:
    """The left column: pictures, thresholds, tiles.

    Attributes:
        upload: The pictures.
        folder: Button that takes all pictures of a folder.
        left_out: What of the folder is no picture.
        chosen: The picture shown, by number; hidden where there is one.
        examples: Pictures to click on.
        status: What was found, or the fault.
        count: How many objects are shown.
        play: Button that shows them one by one.
        objectness, mask: The thresholds.
        tiled, side: Whether to cut tiles, and the side of one in pixels.
    """

    upload: gr.File
    folder: gr.UploadButton
    left_out: gr.Markdown
    chosen: gr.Dropdown
    examples: gr.Gallery
    status: gr.Markdown
    count: gr.Slider
    play: gr.Button
    objectness: gr.Slider
    mask: gr.Slider
    tiled: gr.Checkbox
    side: gr.Number


@dataclass(frozen=True)
class Outputs:
    """The right column: the objects of one picture, and those of all.

    Attributes:
        overlay: The picture with its objects.
        table: A row for each object.
        steps: Bars of objectness.
        prepare, files: Button that makes the files of this picture, and the files.
        every, fault, counts, archive: Button that looks at all pictures, what was wrong, a row for each, all files.
    """

    overlay: gr.Image
    table: gr.Dataframe
    steps: gr.HTML
    prepare: gr.Button
    files: gr.File
    every: gr.Button
    fault: gr.Markdown
    counts: gr.Dataframe
    archive: gr.File


def heading_of(info: CheckpointInfo) -> str:
    """Return the heading of the page for a network, as Markdown."""
    return (
        f"# RSIS: one object after another\nModel `{info.run}`, trained on `{info.dataset}`: "
        f"{', '.join(info.class_names)}. Drop pictures; they stay on this machine."
    )


def described(info: CheckpointInfo) -> dict[str, Any]:
    """Return what the page shows of a checkpoint."""
    return {
        "model": info.model,
        "training": info.train,
        "metrics": info.metrics,
        "preprocessing": {**info.preprocessing, "size": list(info.size)},
        "version": info.version,
    }


def network(names: Sequence[str], first: int, info: CheckpointInfo) -> Network:
    """Lay out the top of the page; `describe` lays out the description below everything else."""
    heading = gr.Markdown(heading_of(info), elem_id="heading")
    choice = gr.Dropdown(
        [(name, str(number)) for number, name in enumerate(names)],
        value=str(first),
        label="Network",
        elem_id="network",
        visible=len(names) > 1,
    )
    return Network(choice, heading, gr.JSON(described(info), elem_id="model", render=False))


def inputs(section: PredictSection, examples: Sequence[tuple[Path, Image.Image]]) -> Inputs:
    """Lay out the left column, with the thresholds of the network's run."""
    upload = gr.File(label="Pictures", type="filepath", elem_id="picture", height=140, file_count="multiple")
    folder = gr.UploadButton("A whole folder", file_count="directory", elem_id="folder")
    left_out = gr.Markdown(elem_id="left_out")
    chosen = gr.Dropdown([], label="Picture shown", elem_id="chosen", visible=False)
    clicked = gallery(examples)
    status = gr.Markdown("No picture yet.", elem_id="status")
    count = gr.Slider(0, 1, 0, step=1, label="Objects shown", elem_id="count", interactive=True)
    play = gr.Button("Show them one by one", elem_id="play")
    objectness, mask = (
        gr.Slider(0, 1, value, step=0.01, label=f"{name} threshold", elem_id=name.lower())
        for name, value in (("Objectness", section.objectness_threshold), ("Mask", section.mask_threshold))
    )
    with gr.Accordion("More objects than steps: tiles", open=False):
        tiled = gr.Checkbox(False, label="Cut the picture into overlapping tiles")
        side = gr.Number(256, label="Side of a tile, pixels", precision=0, minimum=16)
    return Inputs(upload, folder, left_out, chosen, clicked, status, count, play, objectness, mask, tiled, side)


def outputs() -> Outputs:
    """Lay out the right column."""
    overlay = gr.Image(
        label="Objects in predicted order", elem_id="overlay", format="png", interactive=False, buttons=["fullscreen"]
    )
    with gr.Row():
        table = gr.Dataframe(
            headers=list(COLUMNS), label="Objects", elem_id="table", interactive=False, scale=3, buttons=[]
        )
        steps = gr.HTML(elem_id="steps")
    prepare = gr.Button("Make files to download", elem_id="prepare")
    files = gr.File(
        label="Overlay, table, animation, and the objects in each format",
        elem_id="files",
        interactive=False,
        height=150,
    )
    with gr.Accordion("All pictures: counts, areas, and their files", open=False):
        every = gr.Button("Find the objects of all pictures", elem_id="every")
        fault = gr.Markdown(elem_id="fault")
        counts = gr.Dataframe(headers=list(COUNT_COLUMNS), elem_id="counts", interactive=False, buttons=[])
        archive = gr.File(label="All files", elem_id="archive", interactive=False)
    return Outputs(overlay, table, steps, prepare, files, every, fault, counts, archive)
