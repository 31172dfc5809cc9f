"""What the network found in one picture, in the form that a user goes on with."""

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
    """One object, in the order in which the network emitted them.

    Attributes:
        number: From 1 up; the object's value in the instance map and its number in the overlay.
        mask: bool [H, W] at the picture's own size; masks of one picture may overlap.
        class_id: 1..K-1, the most probable class.
        class_name: Its name.
        class_probs: float [K-1], the probability of each class, 0..1.
        objectness: Probability that there is an object at this step, 0..1.
        step: The decoder step that emitted it, from 0; of a picture in tiles, the step in its tile.
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
        """Class probability times objectness, 0..1, as the paper's released code ranks detections."""
        return float(self.class_probs[self.class_id - 1]) * self.objectness

    @property
    def area(self) -> int:
        """Pixels of the mask."""
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
        image_id: The picture's path as it was given, or "image" and its number.
        image: uint8 [H, W, 3], RGB, as the network saw it but for its size.
        instances: The objects in predicted order, perhaps none.
        objectness: What the network said at each step that was run, 0..1: the steps of `instances`, and those
            after them by which it saw that nothing was left. For a picture in tiles, tile after tile.
        class_names: Names of classes 1..K-1.
    """

    image_id: str
    image: np.ndarray
    instances: tuple[Instance, ...]
    objectness: tuple[float, ...]
    class_names: tuple[str, ...]

    def to_instance_map(self) -> np.ndarray:
        """Return int32 [H, W]: the number of the object at each pixel, 0 = none; the earliest keeps a contested one."""
        numbers = np.zeros(self.image.shape[:2], np.int32)
        for instance in reversed(self.instances):
            numbers[instance.mask] = instance.number
        return numbers

    def to_coco(self) -> dict[str, Any]:
        """Return a COCO instance document of this one picture; see `to_coco` for several."""
        return to_coco([self])

    def overlay(self, last: int | None = None) -> Image.Image:
        """Return the picture with its objects painted and numbered on it, small pictures enlarged.

        Args:
            last: Up to which number; None for all.
        """
        numbers = self.to_instance_map()
        if last is not None:
            numbers[numbers > last] = 0
        present = np.unique(numbers[numbers > 0]).tolist()
        return paint(enlarge(Image.fromarray(self.image), shrink=False), numbers, {n: n for n in present}, set())

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the overlay with matplotlib.

        Args:
            axes: Where; None makes a figure of its own.

        Raises:
            UserError: matplotlib is not installed.
        """
        require("plot", "matplotlib")
        from matplotlib import pyplot

        if axes is None:
            _, axes = pyplot.subplots(layout="constrained")
        axes.imshow(np.asarray(self.overlay()))
        count = len(self.instances)
        axes.set_title(f"{self.image_id}: {count} object{'s' if count != 1 else ''}")
        axes.set_axis_off()
        return axes


def to_coco(results: Iterable[ImageResult]) -> dict[str, Any]:
    """Return COCO's instance document of several pictures, of one model's classes.

    Images and annotations are numbered from 1, a category's id is the class id. An annotation's segmentation is
    compressed run-length encoding; beside COCO's own keys it has `score`, `objectness` and `step`.
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
