"""A local web page: load pictures, watch the objects appear in order, change the thresholds, download the results.

The network runs once for a picture, for all steps; changed thresholds are then applied to the stored output. No data
leaves the machine, and nothing is downloaded.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
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
from rsis.tool.app.parts import bars, choices, counting, gallery, new_folder, picked, results_of_all
from rsis.tool.image_files import save_picture_files
from rsis.tool.pictures import InputImage, pages_in, read_picture
from rsis.tool.predictor import RSIS
from rsis.tool.result import ImageResult
from rsis.tool.tiles import Tiling

_FRAME_SECONDS = 0.4  # time between two objects when they are shown one by one
_FORGET_SECONDS = 3600  # age at which uploads and downloads are deleted
_COLUMNS = ("number", "class", "score", "objectness", "area")


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
    """The page of one model.

    Args:
        model: The network.
        examples: Pictures to click on, and a small image of each.
    """

    def __init__(self, model: RSIS, examples: Sequence[tuple[Path, Image.Image]] = ()) -> None:
        self.model, self.examples = model, examples
        self.section = model.read_out()

    def build(self) -> gr.Blocks:
        """Return the page; it is not served yet."""
        info, section = self.model.info, self.section
        page: gr.Blocks
        with gr.Blocks(title="RSIS", analytics_enabled=False, delete_cache=(600, _FORGET_SECONDS)) as page:
            shown = gr.State(None)
            gr.Markdown(
                f"# RSIS: one object after another\nModel `{info.run}`, trained on `{info.dataset}`: "
                f"{', '.join(info.class_names)}. Drop pictures; they stay on this machine."
            )
            with gr.Row():
                with gr.Column(scale=1, min_width=280):
                    upload = gr.File(
                        label="Pictures", type="filepath", elem_id="picture", height=140, file_count="multiple"
                    )
                    chosen = gr.Dropdown([], label="Picture shown", elem_id="chosen", visible=False)
                    examples = gallery(self.examples)
                    status = gr.Markdown("No picture yet.", elem_id="status")
                    count = gr.Slider(0, 1, 0, step=1, label="Objects shown", elem_id="count", interactive=True)
                    play = gr.Button("Show them one by one", elem_id="play")
                    objectness = gr.Slider(
                        0,
                        1,
                        section.objectness_threshold,
                        step=0.01,
                        label="Objectness threshold",
                        elem_id="objectness",
                    )
                    mask = gr.Slider(0, 1, section.mask_threshold, step=0.01, label="Mask threshold", elem_id="mask")
                    with gr.Accordion("More objects than steps: tiles", open=False):
                        tiled = gr.Checkbox(False, label="Cut the picture into overlapping tiles")
                        side = gr.Number(256, label="Side of a tile, pixels", precision=0, minimum=16)
                with gr.Column(scale=2, min_width=320):
                    overlay = gr.Image(
                        label="Objects in predicted order",
                        elem_id="overlay", format="png", interactive=False, buttons=["fullscreen"],
                    )  # fmt: skip
                    with gr.Row():
                        table = gr.Dataframe(
                            headers=list(_COLUMNS),
                            label="Objects",
                            elem_id="table",
                            interactive=False,
                            scale=3,
                            buttons=[],
                        )
                        steps = gr.HTML(elem_id="steps")
                    prepare = gr.Button("Make files to download", elem_id="prepare")
                    files = gr.File(
                        label="Overlay, table, animation, and the objects in each format",
                        elem_id="files",
                        interactive=False,
                        height=150,
                    )
                    every, counts, archive, fault = counting()
                    with gr.Accordion("This model", open=False):
                        gr.JSON(
                            {
                                "model": info.model, "training": info.train, "metrics": info.metrics,
                                "preprocessing": {**info.preprocessing, "size": list(info.size)},
                                "version": info.version,
                            }
                        )  # fmt: skip
            views = [shown, status, count, overlay, table, steps]
            choice = [upload, chosen, objectness, mask, tiled, side]
            upload.change(choices, upload, chosen).then(self.look, choice, views)
            examples.select(self.example, None, upload)
            gr.on([chosen.input, tiled.change, side.submit], self.look, choice, views)
            for slider in (objectness, mask):
                slider.release(self.read, [shown, *choice], views)
            every.click(self.all, [upload, *choice[2:]], [counts, archive, fault])
            count.release(self.show, [shown, count], overlay)
            play.click(self.play, shown, [count, overlay])
            prepare.click(self.save, shown, files)
        return page

    def look(
        self, paths: list[str] | None, chosen: str | None, objectness: float, mask: float, tiled: bool, side: float
    ) -> tuple[Any, ...]:
        """Run the network on the chosen picture."""
        path = picked(paths, chosen)
        if path is None:
            return None, "No picture yet.", gr.Slider(value=0, maximum=1), None, None, ""
        begun = time.perf_counter()
        try:
            # show the user's file name without the server's upload folder
            first, *others = pages_in(Path(path), self.model.info.pictures)
            image = read_picture(first, self.model.info.pictures).image
            name = Path(path).name if not others else f"{Path(path).name}, page 1 of {len(others) + 1}"
            picture = InputImage(name, image)
            shown = self._run(picture, objectness, mask, Tiling((int(side), int(side))) if tiled else None)
        except UserError as error:
            message = str(error).replace(path, Path(path).name)
            return None, f"**{escape(message)}**", gr.Slider(value=0, maximum=1), None, None, ""
        return self._views(shown, f"{time.perf_counter() - begun:.2f} s for the network")

    def read(self, shown: Shown | None, paths: list[str] | None, chosen: str | None, *settings: Any) -> tuple[Any, ...]:
        """Apply other thresholds (`settings` of `look`); the network runs again only for a picture in tiles."""
        if shown is None or shown.decoded is None:
            return self.look(paths, chosen, *settings)
        objectness, mask, *_ = settings
        section = self.model.read_out(objectness_threshold=objectness, mask_threshold=mask)
        result = self.model.read(shown.picture, shown.decoded, section)
        return self._views(Shown(shown.picture, shown.decoded, result), "the network did not run again")

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

    def example(self, event: gr.SelectData) -> list[str]:
        """Copy the example that was clicked on to where the server takes files from."""
        path, _ = self.examples[event.index]
        return [str(shutil.copy(str(path), new_folder()))]

    def all(
        self, paths: list[str] | None, objectness: float, mask: float, tiled: bool, side: float
    ) -> tuple[Any, str | None, str]:
        """Find the objects of all pictures."""
        if not paths:
            return None, None, "No picture yet."
        try:
            tiling = Tiling((int(side), int(side))) if tiled else None
            table, archive, skipped = results_of_all(self.model, paths, tiling, objectness, mask)
        except UserError as error:
            return None, None, f"**{escape(str(error))}**"
        return table, archive, "<br>".join(f"skipped {escape(line)}" for line in skipped)

    def _run(self, picture: InputImage, objectness: float, mask: float, tiling: Tiling | None) -> Shown:
        section = self.model.read_out(objectness_threshold=objectness, mask_threshold=mask)
        if tiling is not None:
            result = self.model.predict(
                picture.image, tiling=tiling, objectness_threshold=objectness, mask_threshold=mask
            )
            assert isinstance(result, ImageResult)
            named = ImageResult(
                picture.image_id, picture.image, result.instances, result.objectness, result.class_names
            )
            return Shown(picture, None, named)
        # run all steps, since a lower threshold may need more of them
        decoded = self.model.decode(picture, section.model_copy(update={"objectness_threshold": 0.0}))
        return Shown(picture, decoded, self.model.read(picture, decoded, section))

    def _views(self, shown: Shown, note: str) -> tuple[Any, ...]:
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
            pd.DataFrame(rows, columns=list(_COLUMNS)),
            bars(result) if shown.decoded is not None else "",
        )
