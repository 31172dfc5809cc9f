"""The objects found in a picture, with conversions to an instance map, COCO JSON and an overlay."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from rsis.machine.extras import require
from rsis.masks import encode_rle
from rsis.tool.overlay import enlarge, paint

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Instance:
    """One object found in a picture.

    Attributes:
        number: Its number in predicted order, from 1; its value in the instance map and its number in the overlay.
        mask: bool [H, W] at the picture's original size; masks of one picture may overlap.
        class_id: 1..K-1, the most probable class.
        class_name: Name of this class.
        class_probs: float [K-1], the probability of each class, 0..1.
        objectness: Probability that there is an object at this step, 0..1.
        step: The decoder step that predicted it, from 0; for a picture in tiles, the step in its tile.
    """

    number: int
    mask: np.ndarray
    class_id: int
    class_name: str
    class_probs: np.ndarray
    objectness: float
    step: int

    @property
    def score(self) -> float:
        """Class probability times objectness, 0..1; the paper's released code ranks detections by it."""
        return float(self.class_probs[self.class_id - 1]) * self.objectness

    @property
    def area(self) -> int:
        """Number of pixels of the mask."""
        return int(self.mask.sum())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of the mask in pixels, the last two exclusive."""
        (rows,), (columns,) = (np.nonzero(self.mask.any(axis=axis)) for axis in (1, 0))
        return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


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
        numbers = np.zeros(self.image.shape[:2], np.int32)
        for instance in reversed(self.instances):
            numbers[instance.mask] = instance.number
        return numbers

    def to_coco(self) -> dict[str, Any]:
        """Return a COCO instance document of this picture; see the function `to_coco`."""
        return to_coco([self])

    def overlay(self, last: int | None = None) -> Image.Image:
        """Return the picture with its objects coloured and numbered; small pictures are enlarged.

        Args:
            last: Number of the last object to show; None shows all.
        """
        numbers = self.to_instance_map()
        if last is not None:
            numbers[numbers > last] = 0
        present = np.unique(numbers[numbers > 0]).tolist()
        return paint(enlarge(Image.fromarray(self.image), shrink=False), numbers, {n: n for n in present}, set())

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
                    "segmentation": dict(encode_rle(instance.mask)),
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
