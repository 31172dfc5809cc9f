"""The objects found in a picture, with conversions to files of annotation tools, a table and an overlay."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from rsis.files.atomic import write_json
from rsis.machine.extras import require
from rsis.masks import distinct
from rsis.tool.formats.documents import TOLERANCE, Outlined
from rsis.tool.formats.write import format_of, map_of, write_map, write_outlines
from rsis.tool.instance import Instance
from rsis.tool.overlay import enlarge, paint_over

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


OBJECT_COLUMNS = (
    "image", "number", "class", "score", "objectness", "area", "top", "left", "bottom", "right", "step",
)  # fmt: skip
"""The columns of a table of objects."""


@dataclass(frozen=True)
class ImageResult:
    """The objects of one picture.

    Attributes:
        image_id: The picture's path as given by the caller, or "image" and its number, from 1.
        image: uint8 [H, W, 3], RGB, the network's input before resizing.
        instances: The objects in predicted order; may be empty.
        objectness: The objectness of each step that was run, 0..1: also of steps without an object in `instances`,
            such as those after the end of the sequence. For a picture in tiles, the steps of all tiles in turn.
        class_names: Names of classes 1..K-1.
    """

    image_id: str
    image: np.ndarray
    instances: tuple[Instance, ...]
    objectness: tuple[float, ...]
    class_names: tuple[str, ...]

    def to_instance_map(self) -> np.ndarray:
        """Return the instance map, int32 [H, W]: the object's number at each pixel, 0 = background.

        A pixel in more than one mask belongs to the object with the lowest number.
        """
        return self._numbers(np.int32)

    def _numbers(self, kind: type[np.integer[Any]]) -> np.ndarray:
        numbers = np.zeros(self.image.shape[:2], kind)
        for instance in reversed(self.instances):
            numbers[instance.patch.slices][instance.patch.pixels] = instance.number
        return numbers

    def _small_numbers(self) -> np.ndarray:
        """Return the instance map in 16 bits where they suffice: of a large picture it is half the memory."""
        largest = max((instance.number for instance in self.instances), default=0)
        return self._numbers(np.uint16 if largest < 2**16 else np.int32)

    def to_coco(self) -> dict[str, Any]:
        """Return a COCO instance document of this picture; see the function `to_coco`."""
        return to_coco([self])

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a table with a row for each object.

        The columns are image, number, class, score, objectness, area, top, left, bottom, right and step, as in the file
        objects.csv; areas and boxes are in pixels, bottom and right exclusive.
        """
        import pandas as pd

        columns = dict(zip(OBJECT_COLUMNS, zip(*self.rows(), strict=True), strict=True)) if self.instances else None
        return pd.DataFrame(columns, columns=list(OBJECT_COLUMNS))

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the values of `OBJECT_COLUMNS` of each object."""
        return [
            (
                self.image_id, item.number, item.class_name, item.score, item.objectness, item.area, *item.box,
                item.step,
            )
            for item in self.instances
        ]  # fmt: skip

    def outlined(self, tolerance: float = TOLERANCE) -> Outlined:
        """Return the objects with their outlines as polygons (`rsis.tool.formats.outline.outline_of`).

        Args:
            tolerance: Distance in pixels up to which points of an outline are left out; 0 gives exact outlines.

        Raises:
            UserError: The tolerance is negative or not finite.
        """
        height, width = self.image.shape[:2]
        return Outlined.of(self.image_id, (height, width), self.instances, tolerance)

    def save(self, path: str | Path, format: str | None = None, *, tolerance: float = TOLERANCE) -> None:
        """Write the objects to one file, which is replaced if it exists.

        Args:
            path: The file; its folder is made if there is none.
            format: coco, yolo (the label file), labelme, png or tiff (an instance map of 16 bits), imagej (a RoiSet) or
                geojson (of QuPath). None decides by the suffix: .json (coco), .txt, .png, .tif, .tiff, .zip, .geojson.
            tolerance: See `outlined`; for yolo, labelme, imagej and geojson.

        Raises:
            UserError: No such format, a wrong tolerance, a file that cannot be written, or more objects or a larger
                picture than the format can hold.
        """
        path = Path(path)
        match kind := format_of(path, format):
            case "coco":
                write_json(path, self.to_coco())
            case "png" | "tiff":
                write_map(path, map_of(self._small_numbers(), self.image_id), kind)
            case _:
                write_outlines(path, self.outlined(tolerance), kind)

    def _repr_png_(self) -> bytes:
        """Return the overlay as PNG, which notebooks show."""
        file = io.BytesIO()
        self.overlay().save(file, "PNG")
        return file.getvalue()

    def overlay(self, last: int | None = None) -> Image.Image:
        """Return the picture with its objects coloured and numbered; small pictures are enlarged.

        Args:
            last: Number of the last object to show; None shows all.
        """
        numbers = self._small_numbers()
        if last is not None:
            numbers[numbers > last] = 0
        present = [number for number in distinct(numbers).tolist() if number]
        picture = enlarge(Image.fromarray(self.image), shrink=False)  # a copy of the pixels
        return paint_over(picture, numbers, {n: n for n in present}, set())

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the overlay with matplotlib.

        Args:
            axes: The axes to draw into; None makes a new figure.

        Returns:
            The axes.

        Raises:
            UserError: matplotlib is not installed.
        """
        require("plot", "matplotlib")
        from matplotlib import pyplot

        if axes is None:
            _, axes = pyplot.subplots(layout="constrained")
        axes.imshow(np.asarray(self.overlay()))
        count = len(self.instances)
        axes.set_title(f"{self.image_id}: {count} object{'s' if count != 1 else ''}", parse_math=False)
        axes.set_axis_off()
        return axes


def to_coco(results: Iterable[ImageResult]) -> dict[str, Any]:
    """Return a COCO instance document of pictures, all processed by the same model.

    Images and annotations are numbered from 1; a category's id is the class id. The segmentation of an annotation is
    a compressed run-length encoding. In addition to COCO's own keys an annotation has `score`, `objectness` and `step`.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    names: tuple[str, ...] = ()
    for result in results:
        names = result.class_names
        height, width = result.image.shape[:2]
        images.append({"id": len(images) + 1, "file_name": result.image_id, "height": height, "width": width})
        for instance in result.instances:
            top, left, bottom, right = instance.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": instance.class_id,
                    "segmentation": dict(instance.patch.rle()),
                    "area": instance.area,
                    "bbox": [left, top, right - left, bottom - top],
                    "iscrowd": 0,
                    "score": instance.score,
                    "objectness": instance.objectness,
                    "step": instance.step,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    return {"images": images, "categories": categories, "annotations": annotations}
