"""Generated rosette plants in the CVPPP folder layout, so that the pipeline can run without the real data.

The layout is that of the leaf segmentation challenge (see `rsis.data.readers.cvppp`):

    training/A1/plant001_rgb.png      RGBA picture
    training/A1/plant001_label.png    palette PNG, index 0 = background, 1..N = leaves
    training/A1/plant001_fg.png       palette PNG, index 1 = plant
    training/A1/plant001_centers.png  palette PNG, one pixel per leaf, its index the leaf's label
    training/A1/A1.csv                a line "plant001_rgb.png,7" per plant: picture, number of leaves
    testing/A1/                       the same files; the numbers continue those of training

Plant `index` depends only on (seed, index, size, leaves): neither the number of processes nor the
order of drawing changes a pixel.
"""

import colorsys
import csv
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.config.sources import PlantSource
from rsis.data.synthetic.plants import rosette
from rsis.errors import UserError
from rsis.machine.pool import map_in_processes
from rsis.masks import relabel
from rsis.structures import RawSample

GENERATOR_VERSION = 1  # increase it when the same parameters draw different plants
GOOD_AREA = 0.004  # visible fraction of the image; a plant with a smaller leaf is drawn again, to keep leaves learnable
FEWEST_PIXELS = 4  # a leaf with fewer visible pixels is removed
ATTEMPTS = 60  # plants that are tried


def make_plant(seed: int, index: int, size: tuple[int, int], leaves: tuple[int, int]) -> RawSample:
    """Draw one plant.

    Args:
        seed: Seed of the data set.
        index: Number of the plant, 1 or more; it becomes image_id "plantNNN".
        size: (H, W) in pixels.
        leaves: Minimum and maximum number of leaves; the number is drawn uniformly, both included.

    Returns:
        The picture and its leaves; label 1 is the oldest leaf, which lies lowest. At least `FEWEST_PIXELS` pixels of
        each leaf are visible, and nearly always `GOOD_AREA` of the image.

    Raises:
        UserError: The minimum exceeds the maximum, or the minimum number of leaves is not visible in so small an
            image.
    """
    least, most = leaves
    if least > most:
        raise UserError(f"leaves: found [{least}, {most}]; the first number must not exceed the second; swap them")
    rng = np.random.default_rng([seed, index])
    plant, labels = _arrange(rng, int(rng.integers(least, most + 1)), least, size)
    count = len(plant)
    return RawSample(
        image=rosette.paint(rng, plant, size),
        instance_map=labels,
        class_ids=np.ones(count, np.int64),
        ignore_mask=np.zeros(size, bool),
        image_id=f"plant{index:03d}",
    )


def write_plants(folder: Path, source: PlantSource, processes: int | None = None) -> None:
    """Write all plants of a source into `folder`, which must exist.

    Args:
        folder: Folder in which `training/A1` and `testing/A1` are made.
        source: Seed, image size, numbers of plants and leaves.
        processes: Number of processes; None for at most one per core. It changes no pixel.

    Raises:
        UserError: The source requires more leaves than are visible in its images.
    """
    last = source.training + source.testing
    numbers = {"training/A1": range(1, source.training + 1), "testing/A1": range(source.training + 1, last + 1)}
    jobs = [(folder / name, index) for name, indices in numbers.items() for index in indices]
    for name in numbers:
        (folder / name).mkdir(parents=True, exist_ok=True)
    counts = list(map_in_processes(partial(_write_plant, source), jobs, processes, fewest=16))
    for name, indices in numbers.items():
        with (folder / name / "A1.csv").open("w", newline="", encoding="ascii") as file:
            rows = ((f"plant{index:03d}_rgb.png", counts[index - 1]) for index in indices)
            csv.writer(file, lineterminator="\n").writerows(rows)


def _arrange(
    rng: np.random.Generator, count: int, least: int, size: tuple[int, int]
) -> tuple[list[rosette.Leaf], np.ndarray]:
    """Grow plants until one has `count` visible leaves; return it and its instance map, int32 [H, W].

    The required area of a leaf decreases with the attempts. When all attempts fail, leaves that are too small are
    removed, down to `least` leaves.
    """
    for attempt in range(ATTEMPTS):
        plant = rosette.grow(rng, count)
        labels = rosette.label_map(plant, size)
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        if areas.min() >= max(FEWEST_PIXELS, GOOD_AREA * labels.size * (1 - attempt / ATTEMPTS)):
            return plant, labels
    while areas.min(initial=FEWEST_PIXELS) < FEWEST_PIXELS and len(plant) > least:
        plant = [leaf for leaf, area in zip(plant, areas, strict=True) if area >= FEWEST_PIXELS]
        labels = relabel(rosette.label_map(plant, size))
        areas = np.bincount(labels.ravel(), minlength=len(plant) + 1)[1:]
    if len(plant) < least or areas.min(initial=FEWEST_PIXELS) < FEWEST_PIXELS:
        raise UserError(
            f"leaves, image_size: {least} leaves cannot all be visible in {size[0]} x {size[1]} pixels; "
            "ask for fewer leaves or a larger image"
        )
    return plant, labels


def _write_plant(source: PlantSource, job: tuple[Path, int]) -> int:
    """Draw and write one plant's four files; return its number of leaves."""
    folder, index = job
    plant = make_plant(source.seed, index, source.image_size, source.leaves)
    stem = str(folder / plant.image_id)
    alpha = np.full((*source.image_size, 1), 255, np.uint8)
    Image.fromarray(np.concatenate((plant.image, alpha), axis=2)).save(f"{stem}_rgb.png")
    labels = plant.instance_map.astype(np.uint8)
    _save_palette(labels, f"{stem}_label.png")
    _save_palette((labels > 0).astype(np.uint8), f"{stem}_fg.png")
    _save_palette(_centers(labels, len(plant.class_ids)), f"{stem}_centers.png")
    return len(plant.class_ids)


def _centers(labels: np.ndarray, count: int) -> np.ndarray:
    """Return a map with one pixel per leaf: its visible pixel nearest to the mean of its visible pixels."""
    marks = np.zeros_like(labels)
    for number in range(1, count + 1):
        pixels = np.argwhere(labels == number)
        row, column = pixels[((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        marks[row, column] = number
    return marks


def _save_palette(indices: np.ndarray, path: str) -> None:
    """Write indices, uint8 [H, W], as a palette PNG: black, white, then hues at steps of the golden angle."""
    hues = ((i * 0.618034) % 1.0 for i in range(254))
    colours = [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), *(colorsys.hsv_to_rgb(hue, 0.85, 0.95) for hue in hues)]
    image = Image.fromarray(indices)
    image.putpalette([round(255 * channel) for colour in colours for channel in colour])
    image.save(path)
