"""Generated street scenes in the layout of Cityscapes.

    leftImg8bit/<split>/<city>/<city>_000007_000019_leftImg8bit.png
    gtFine/<split>/<city>/<city>_000007_000019_gtFine_instanceIds.png   16-bit grey
    gtFine/<split>/<city>/<city>_000007_000019_gtFine_labelIds.png      8-bit grey
    gtFine/<split>/<city>/<city>_000007_000019_gtFine_polygons.json

The ids follow the official table of labels. The instance id of an object's pixel is 1000 times the label id plus
the number of the object among those of its label, counted from 0. Any other pixel has the label id itself, also in
groups (a group of persons is 24). Both PNG files are the polygons of the JSON file drawn in order. As in the official
download, the annotations of the test split have no objects: all pixels are unlabelled (0) except for the border of the
image and the ego vehicle.

Street `index` depends only on (seed, index, size, objects): neither the number of processes nor the order of
drawing changes a pixel.
"""

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from cityscapesscripts.helpers.labels import labels, name2label
from PIL import Image

from rsis.config.sources import StreetSource
from rsis.data.synthetic.drawing import number_map
from rsis.data.synthetic.streets.camera import Layer
from rsis.data.synthetic.streets.scene import draw_street
from rsis.machine.pool import map_in_processes
from rsis.masks import relabel
from rsis.structures import RawSample

GENERATOR_VERSION = 1  # increase it when the same parameters draw different streets
CITIES = {
    "train": ("aachen", "bochum", "bremen"),
    "val": ("frankfurt", "lindau", "munster"),
    "test": ("berlin", "bielefeld", "bonn"),
}

_CLASS_OF = {
    label.id: class_id
    for class_id, label in enumerate((label for label in labels if label.hasInstances and not label.ignoreInEval), 1)
}


def make_street(seed: int, index: int, size: tuple[int, int], objects: tuple[int, int]) -> RawSample:
    """Draw one street.

    Args:
        seed: Seed of the data set.
        index: Number of the street, 1 or more; the image_id is "street_000007", but files are named by their city.
        size: (H, W) in pixels; the drawing is designed for W = 2 H.
        objects: Minimum and maximum number of objects of the eight classes; the target number is drawn uniformly.

    Returns:
        The picture and its objects in rising order of their instance ids; `rsis.data.synthetic.streets.scene` documents
        their minimum area. Groups, and labels that the official evaluation leaves out, are ignored.

    Raises:
        UserError: The minimum exceeds the maximum, the image is too small, or the minimum number of objects does not
            fit.
    """
    image, layers = draw_street(seed, index, size, objects)
    _, ids = _numbers(layers, size)
    regions = np.where(ids >= 1000, ids // 1000, ids)
    counted = (ids >= 1000) & np.isin(regions, list(_CLASS_OF))
    left_out = np.isin(regions, [label.id for label in labels if label.ignoreInEval])
    numbers = np.unique(ids[counted])
    return RawSample(
        image=image,
        instance_map=relabel(np.where(counted, ids, 0)),
        class_ids=np.array([_CLASS_OF[int(number) // 1000] for number in numbers], np.int64),
        ignore_mask=left_out | ((ids < 1000) & np.isin(ids, list(_CLASS_OF))),
        image_id=f"street_{index:06d}",
    )


def write_streets(folder: Path, source: StreetSource, processes: int | None = None) -> None:
    """Write all streets of a source into `folder`, which must exist.

    Args:
        folder: Folder in which `leftImg8bit` and `gtFine` are made.
        source: Seed, image size, numbers of images and objects.
        processes: Number of processes; None for at most one per core. It changes no byte.

    Raises:
        UserError: The source requires more objects than are visible in its images.
    """
    jobs: list[tuple[int, str, str]] = []
    for split, count in (("train", source.train), ("val", source.val), ("test", source.test)):
        cities = CITIES[split]
        for i in range(count):
            city = cities[i % len(cities)]
            jobs.append((len(jobs) + 1, f"{split}/{city}", f"{city}_{i // len(cities):06d}_000019"))
    for place in sorted({place for _, place, _ in jobs}):
        for tree in ("leftImg8bit", "gtFine"):
            (folder / tree / place).mkdir(parents=True, exist_ok=True)
    list(map_in_processes(partial(_write, folder, source), jobs, processes, fewest=16))


def _write(folder: Path, source: StreetSource, job: tuple[int, str, str]) -> None:
    """Draw one street and write its four files."""
    index, place, name = job
    image, layers = draw_street(source.seed, index, source.image_size, source.objects)
    if place.startswith("test/"):
        layers = [layer for layer in layers if layer.label in ("ego vehicle", "out of roi")]
    label_ids, instance_ids = _numbers(layers, source.image_size)
    # noise compresses badly: a higher level takes several times as long and saves a few percent
    Image.fromarray(image).save(folder / "leftImg8bit" / place / f"{name}_leftImg8bit.png", compress_level=1)
    truth = str(folder / "gtFine" / place / f"{name}_gtFine")
    Image.fromarray(label_ids).save(f"{truth}_labelIds.png")
    Image.fromarray(instance_ids).save(f"{truth}_instanceIds.png")
    polygons = [{"label": layer.label, "polygon": layer.outline.tolist()} for layer in layers]
    content = {"imgHeight": source.image_size[0], "imgWidth": source.image_size[1], "objects": polygons}
    Path(f"{truth}_polygons.json").write_text(json.dumps(content) + "\n", encoding="ascii")


def _numbers(layers: Sequence[Layer], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the official label ids, uint8 [H, W], and instance ids, uint16 [H, W], of layers drawn in order."""
    label_ids, instance_ids, counts = [0], [0], Counter[int]()
    for layer in layers:
        label = name2label[layer.label.removesuffix("group")]
        label_ids.append(label.id)
        if label.hasInstances and not layer.label.endswith("group"):
            instance_ids.append(1000 * label.id + counts[label.id])
            counts[label.id] += 1
        else:
            instance_ids.append(label.id)
    drawn = number_map(([layer.outline] for layer in layers), size)
    return np.array(label_ids, np.uint8)[drawn], np.array(instance_ids, np.uint16)[drawn]
