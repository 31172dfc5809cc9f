"""A local web page: load pictures, watch the objects appear in order, change the thresholds, download the results.

The network runs once for a picture, for all steps; changed thresholds are then applied to the stored output. No data
leaves the machine, and nothing is downloaded.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before it is imported

import gradio as gr
import pandas as pd
from PIL import Image

from rsis.errors import UserError
from rsis.predict.decode import StepOutputs
from rsis.tool.app import layout
from rsis.tool.app.examples import examples_for, examples_of
from rsis.tool.app.models import Models
from rsis.tool.app.parts import bars, choices, new_folder, picked, results_of_all
from rsis.tool.image_files import save_picture_files
from rsis.tool.pictures import InputImage, is_picture, pages_in, read_picture
from rsis.tool.predictor import RSIS
from rsis.tool.result import ImageResult
from rsis.tool.tiles import Tiling

_FRAME_SECONDS = 0.4  # time between two objects when they are shown one by one
_FORGET_SECONDS = 3600  # age at which uploads and downloads are deleted


@dataclass(frozen=True)
class Shown:
    """The content of one session.

    Attributes:
        picture: The picture.
        decoded: The output of the network for it; None for a picture in tiles.
        result: Its objects with the present thresholds.
    """

    picture: InputImage
    decoded: StepOutputs | None
    result: ImageResult


class Page:
    """The page of one network, or of several to choose among.

    Args:
        models: The networks.
        examples: A folder with pictures to click on; None takes pictures of the test split of the chosen network's
            data set, if params.yaml here has it, or else those of examples/nuclei, if they are here.

    Raises:
        UserError: There is no picture in the folder `examples`.
    """

    def __init__(self, models: Models, examples: Path | None = None) -> None:
        self.models = models
        self._given = examples_of(examples) if examples is not None else None

    def build(self) -> gr.Blocks:
        """Return the page; it is not served yet."""
        model = self.models[self.models.first]
        page: gr.Blocks
        with gr.Blocks(title="RSIS", analytics_enabled=False, delete_cache=(600, _FORGET_SECONDS)) as page:
            shown = gr.State(None)
            network = layout.network(self.models.names, self.models.first, model.info)
            with gr.Row():
                with gr.Column(scale=1, min_width=280):
                    given = layout.inputs(model.read_out(), self._examples(model))
                with gr.Column(scale=2, min_width=320):
                    found = layout.outputs()
                    with gr.Accordion("This model", open=False):
                        network.description.render()  # type: ignore[no-untyped-call]
            self._connect(shown, network, given, found)
        return page

    def _connect(self, shown: gr.State, network: layout.Network, given: layout.Inputs, found: layout.Outputs) -> None:
        """Say what happens when a visitor does something."""
        views = [shown, given.status, given.count, found.overlay, found.table, found.steps]
        settings = [given.objectness, given.mask, given.tiled, given.side]
        choice = [network.choice, given.upload, given.chosen, *settings]
        network.choice.input(
            self.choose,
            network.choice,
            [network.heading, network.description, given.examples, given.objectness, given.mask],
        ).then(self.look, choice, views)
        given.upload.change(choices, given.upload, given.chosen).then(self.look, choice, views)
        given.folder.upload(self.folder, given.folder, [given.upload, given.left_out])
        given.examples.select(self.example, network.choice, given.upload)
        gr.on([given.chosen.input, given.tiled.change, given.side.submit], self.look, choice, views)
        for slider in (given.objectness, given.mask):
            slider.release(self.read, [shown, *choice], views)
        found.every.click(
            self.all, [network.choice, given.upload, *settings], [found.counts, found.archive, found.fault]
        )
        given.count.release(self.show, [shown, given.count], found.overlay)
        given.play.click(self.play, shown, [given.count, found.overlay])
        found.prepare.click(self.save, shown, found.files)

    def choose(self, network: str | None) -> tuple[Any, ...]:
        """Read the chosen network, and show what it is, its examples and its thresholds."""
        try:
            model = self.models.chosen(network)
        except UserError:  # `look` shows it
            return "# RSIS: one object after another", None, gr.Gallery(visible=False), gr.skip(), gr.skip()
        section, examples = model.read_out(), self._examples(model)
        images = [image for _, image in examples]
        return (
            layout.heading_of(model.info),
            layout.described(model.info),
            gr.Gallery(images, visible=bool(images)),
            section.objectness_threshold,
            section.mask_threshold,
        )

    def folder(self, paths: list[str] | None) -> tuple[Any, str]:
        """Take the pictures of a folder, and say what of it is none."""
        by_name = sorted(paths or (), key=lambda path: Path(path).name)
        pictures = [path for path in by_name if is_picture(Path(Path(path).name))]
        others = len(paths or ()) - len(pictures)
        left_out = f"{others} of {others + len(pictures)} files of the folder are no pictures." if others else ""
        return pictures or gr.skip(), left_out

    def look(self, network: str | None, paths: list[str] | None, chosen: str | None, *settings: Any) -> tuple[Any, ...]:
        """Run the network on the chosen picture; the settings are objectness, mask, tiled and side."""
        path = picked(paths, chosen)
        try:
            model = self.models.chosen(network)
        except UserError as error:
            return _nothing(f"**{escape(str(error))}**")
        if path is None:
            return _nothing("No picture yet.")
        objectness, mask, tiled, side = settings
        begun = time.perf_counter()
        try:
            # show the user's file name without the server's upload folder
            first, *others = pages_in(Path(path), model.info.pictures)
            image = read_picture(first, model.info.pictures).image
            name = Path(path).name if not others else f"{Path(path).name}, page 1 of {len(others) + 1}"
            picture = InputImage(name, image)
            shown = _run(model, picture, objectness, mask, Tiling((int(side), int(side))) if tiled else None)
        except UserError as error:
            message = str(error).replace(path, Path(path).name)
            return _nothing(f"**{escape(message)}**")
        return _views(shown, f"{time.perf_counter() - begun:.2f} s for the network")

    def read(
        self, shown: Shown | None, network: str | None, paths: list[str] | None, chosen: str | None, *settings: Any
    ) -> tuple[Any, ...]:
        """Apply other thresholds (`settings` of `look`); the network runs again only for a picture in tiles."""
        if shown is None or shown.decoded is None:
            return self.look(network, paths, chosen, *settings)
        objectness, mask, *_ = settings
        try:
            model = self.models.chosen(network)
        except UserError as error:
            return _nothing(f"**{escape(str(error))}**")
        section = model.read_out(objectness_threshold=objectness, mask_threshold=mask)
        result = model.read(shown.picture, shown.decoded, section)
        return _views(Shown(shown.picture, shown.decoded, result), "the network did not run again")

    def show(self, shown: Shown | None, count: float) -> Image.Image | None:
        """Draw the first `count` objects."""
        return None if shown is None else shown.result.overlay(last=int(count))

    def play(self, shown: Shown | None) -> Iterator[tuple[Any, Any]]:
        """Draw the objects one after the other."""
        for number in range(len(shown.result.instances) + 1) if shown is not None else ():
            yield number, self.show(shown, number)
            time.sleep(_FRAME_SECONDS)

    def save(self, shown: Shown | None) -> list[str] | None:
        """Write the files for download; return their paths."""
        if shown is None:
            return None
        name = Path(shown.picture.image_id).stem
        return [str(path) for path in save_picture_files(shown.result, new_folder(), name)]

    def example(self, network: str | None, event: gr.SelectData) -> list[str]:
        """Copy the example that was clicked on to where the server takes files from."""
        path, _ = self._examples(self.models.chosen(network))[event.index]
        return [str(shutil.copy(str(path), new_folder()))]

    def all(
        self,
        network: str | None,
        paths: list[str] | None,
        objectness: float,
        mask: float,
        tiled: bool,
        side: float,
    ) -> tuple[Any, str | None, str]:
        """Find the objects of all pictures."""
        if not paths:
            return None, None, "No picture yet."
        try:
            tiling = Tiling((int(side), int(side))) if tiled else None
            table, archive, skipped = results_of_all(self.models.chosen(network), paths, tiling, objectness, mask)
        except UserError as error:
            return None, None, f"**{escape(str(error))}**"
        return table, archive, "<br>".join(f"skipped {escape(line)}" for line in skipped)

    def _examples(self, model: RSIS) -> list[tuple[Path, Image.Image]]:
        return self._given if self._given is not None else examples_for(model.info.dataset, model.info.pictures)


def _run(model: RSIS, picture: InputImage, objectness: float, mask: float, tiling: Tiling | None) -> Shown:
    section = model.read_out(objectness_threshold=objectness, mask_threshold=mask)
    if tiling is not None:
        result = model.predict(picture.image, tiling=tiling, objectness_threshold=objectness, mask_threshold=mask)
        assert isinstance(result, ImageResult)
        named = ImageResult(picture.image_id, picture.image, result.instances, result.objectness, result.class_names)
        return Shown(picture, None, named)
    # run all steps, since a lower threshold may need more of them
    decoded = model.decode(picture, section.model_copy(update={"objectness_threshold": 0.0}))
    return Shown(picture, decoded, model.read(picture, decoded, section))


def _nothing(message: str) -> tuple[Any, ...]:
    """Return the views of a page without objects."""
    return None, message, gr.Slider(value=0, maximum=1), None, None, ""


def _views(shown: Shown, note: str) -> tuple[Any, ...]:
    result = shown.result
    number = len(result.instances)
    rows = [
        (item.number, item.class_name, round(item.score, 3), round(item.objectness, 3), item.area)
        for item in result.instances
    ]
    height, width = result.image.shape[:2]
    objects = f"{number} object{'s' if number != 1 else ''}"
    return (
        shown,
        f"**{objects}** in {escape(result.image_id)}, {height} x {width} pixels; {note}",
        gr.Slider(value=number, maximum=max(1, number)),
        result.overlay(),
        pd.DataFrame(rows, columns=list(layout.COLUMNS)),
        bars(result) if shown.decoded is not None else "",
    )
