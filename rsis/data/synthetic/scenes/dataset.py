"""Generated everyday scenes in the layout of Pascal VOC 2012 and of the Semantic Boundaries Dataset.

    VOCdevkit/VOC2012/JPEGImages/2007_000123.jpg
    VOCdevkit/VOC2012/Annotations/2007_000123.xml          boxes
    VOCdevkit/VOC2012/SegmentationClass/2007_000123.png    palette PNG: class 1..20, 0 background, 255 void
    VOCdevkit/VOC2012/SegmentationObject/2007_000123.png   palette PNG: object 1..N, 0 background, 255 void
    VOCdevkit/VOC2012/ImageSets/Segmentation/{train,val,trainval}.txt
    benchmark_RELEASE/dataset/img/2007_000123.jpg
    benchmark_RELEASE/dataset/inst/2007_000123.mat         objects, without void (see `files.py` beside this)
    benchmark_RELEASE/dataset/cls/2007_000123.mat          classes, without void
    benchmark_RELEASE/dataset/{train,val}.txt

sbdataset annotates additional images, all of VOC's train images and every second one of VOC's val images. A split that
trains on sbdataset must exclude the latter. Every fourth image of sbdataset is in its val.txt, the others in train.txt.

Scene `index` depends only on (seed, index, size, objects): neither the number of processes nor the order of
drawing changes a pixel.
"""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.config.sources import SceneSource
from rsis.data.synthetic.drawing import Figure, expose, number_map, paint, samples_per_pixel, shadow, widen
from rsis.data.synthetic.scenes import files as scene_files
from rsis.data.synthetic.scenes.objects import FIGURES
from rsis.data.synthetic.scenes.places import Place, meadow, room
from rsis.errors import UserError
from rsis.machine.pool import map_in_processes
from rsis.structures import RawSample

GENERATOR_VERSION = 1  # increase it when the same parameters draw different scenes
CLASS_IDS = {"bottle": 5, "car": 7, "person": 15, "pottedplant": 16, "sheep": 17, "tvmonitor": 20}  # VOC's numbers
SMALLEST = (32, 32)  # (H, W); in smaller images objects cannot be distinguished
GOOD_AREA = 0.012  # visible fraction of the image; an object with less is placed elsewhere
GOOD_SHARE = 0.45  # visible fraction of the object's own area; likewise
FEWEST_PIXELS = 8  # pixels of an object that must be visible inside its void border
ATTEMPTS = 6  # backgrounds that are tried
SKETCH = 200  # longer side in pixels of the map in which the objects of a larger image are arranged
TRIES = 12  # places that are tried for each object


def make_scene(seed: int, index: int, size: tuple[int, int], objects: tuple[int, int]) -> RawSample:
    """Draw one scene, annotated at every pixel as in sbdataset (`add_void` makes VOC's annotation from it).

    Args:
        seed: Seed of the data set.
        index: Number of the scene, 1 or more; it becomes the image_id, with a fictitious year: "2007_000123".
        size: (H, W) in pixels.
        objects: Minimum and maximum number of objects; the target number is drawn uniformly, both included.

    Returns:
        The picture before its JPEG compression, and its objects, the farthest first. At least `FEWEST_PIXELS` pixels
        of each object are visible inside its void border, and nearly always `GOOD_AREA` of the image.

    Raises:
        UserError: The minimum exceeds the maximum, the image is smaller than `SMALLEST`, or the minimum number of
            objects does not fit.
    """
    least, most = objects
    if least > most:
        raise UserError(f"objects: found [{least}, {most}]; the first number must not exceed the second; swap them")
    if size[0] < SMALLEST[0] or size[1] < SMALLEST[1]:
        raise UserError(f"image_size: found {size[0]} x {size[1]}, scenes need {SMALLEST[0]} x {SMALLEST[1]}; raise it")
    rng = np.random.default_rng([seed, index])
    count = int(rng.integers(least, most + 1))
    for attempt in range(ATTEMPTS):
        place, canvas = (room, meadow)[rng.integers(2)](rng, size, samples_per_pixel(size))
        names, figures = _arrange(rng, place, size, count, 1 - attempt / ATTEMPTS)
        if len(names) >= least and _all_show(figures, size, FEWEST_PIXELS):
            break
    else:
        raise UserError(
            f"objects, image_size: {least} objects cannot all be visible in {size[0]} x {size[1]} pixels; "
            "ask for fewer objects or a larger image"
        )
    _paint(rng, canvas, figures)
    return RawSample(
        image=expose(canvas, rng, rng.uniform(1.0, 3.5)),
        instance_map=number_map((figure.outline for figure in figures), size).astype(np.int32),
        class_ids=np.array([CLASS_IDS[name] for name in names], np.int64),
        ignore_mask=np.zeros(size, bool),
        image_id=f"{2007 + index % 5}_{index:06d}",
    )


def add_void(scene: RawSample) -> RawSample:
    """Return the scene with VOC's annotation, in which the borders between objects and around them are void.

    The border is 5 pixels wide in an image whose longer side has 500 pixels. It scales with the image and is always an
    odd number of pixels, at least 1.
    """
    border = void_border(scene.instance_map)
    return replace(scene, instance_map=np.where(border, 0, scene.instance_map).astype(np.int32), ignore_mask=border)


def void_border(instance_map: np.ndarray) -> np.ndarray:
    """Return bool [H, W], true on the outermost pixels of objects, dilated to the width of the void border."""
    edge = np.zeros(instance_map.shape, bool)
    for axis in (0, 1):
        one, other = (np.moveaxis(array, axis, 0) for array in (instance_map, edge))
        other[1:] |= one[1:] > one[:-1]
        other[:-1] |= one[:-1] > one[1:]
    radius = max(round((max(instance_map.shape) / 100 - 1) / 2), 0)
    return np.asarray(widen(Image.fromarray(edge.astype(np.uint8) * 255), radius)).astype(bool)


def write_scenes(folder: Path, source: SceneSource, processes: int | None = None) -> None:
    """Write all scenes of a source into `folder`, which must exist.

    Args:
        folder: Folder in which `VOCdevkit` and `benchmark_RELEASE` are made.
        source: Seed, image size, numbers of images and objects.
        processes: Number of processes; None for at most one per core. It changes no byte.

    Raises:
        UserError: The source requires more objects than are visible in its images.
    """
    last = source.train + source.val
    voc = {"train": range(1, source.train + 1), "val": range(source.train + 1, last + 1)}
    sbdataset_only = range(last + 1, last + source.sbdataset + 1)
    in_both = {*voc["train"], *voc["val"][::2]}
    scene_files.make_folders(folder)
    jobs = [
        (index, index not in sbdataset_only, index in sbdataset_only or index in in_both)
        for index in (*voc["train"], *voc["val"], *sbdataset_only)
    ]
    names = list(map_in_processes(partial(_write, folder, source), jobs, processes, fewest=16))
    ids = {index: name for (index, *_), name in zip(jobs, names, strict=True)}
    sets = {name: [ids[index] for index in indices] for name, indices in voc.items()}
    scene_files.write_voc_lists(folder, sets)
    scene_files.write_sbdataset_lists(folder, [ids[index] for index in sorted({*in_both, *sbdataset_only})])


def _write(folder: Path, source: SceneSource, job: tuple[int, bool, bool]) -> str:
    """Draw one scene and write it to VOC, to sbdataset, or to both; return its image id."""
    index, in_voc, in_sbdataset = job
    scene = make_scene(source.seed, index, source.image_size, source.objects)
    jpeg = scene_files.encode_jpeg(scene.image)
    if in_voc:
        names = {number: name for name, number in CLASS_IDS.items()}
        scene_files.write_voc(folder, scene, add_void(scene), [names[int(i)] for i in scene.class_ids], jpeg)
    if in_sbdataset:
        scene_files.write_sbdataset(folder, scene, jpeg)
    return scene.image_id


def _arrange(
    rng: np.random.Generator, place: Place, size: tuple[int, int], count: int, demand: float
) -> tuple[list[str], list[Figure]]:
    """Return the classes and figures of up to `count` objects, the farthest first.

    Each object must be visible on at least `demand` * `GOOD_AREA` of the image; `demand` is in 0..1.
    """
    placed: list[tuple[float, str, Figure]] = []
    few = demand * GOOD_AREA * size[0] * size[1]
    for _ in range(TRIES * count):
        if len(placed) == count:
            break
        name = str(rng.choice(list(place.classes)))
        near = rng.uniform(0.12, 1.0)  # 1 is at the lower edge of the image
        tall = place.classes[name] * (0.4 + 0.6 * near) * rng.uniform(0.85, 1.15) * size[0]
        foot = size[0] * (place.horizon + 0.03 + (0.95 - place.horizon) * near)
        stretch = (tall * rng.choice((-1.0, 1.0)), tall)
        figure = FIGURES[name](rng).placed(stretch, (rng.uniform(0.04, 0.96) * size[1], foot))
        trial = sorted([*placed, (near, name, figure)], key=lambda entry: entry[0])
        if _all_show([entry[2] for entry in trial], size, few, min(1.0, SKETCH / max(size))):
            placed = trial
    return [name for _, name, _ in placed], [figure for *_, figure in placed]


def _all_show(figures: list[Figure], size: tuple[int, int], few: float, scale: float = 1.0) -> bool:
    """Return whether each figure is visible enough.

    It needs `few` visible pixels, `GOOD_SHARE` of its own area, and `FEWEST_PIXELS` pixels inside its void border. The
    test uses a map of `scale` times the size, with `few` scaled accordingly.
    """
    labels = number_map((figure.outline for figure in figures), (round(size[0] * scale), round(size[1] * scale)), scale)
    areas = np.bincount(labels.ravel(), minlength=len(figures) + 1)[1:]
    if areas.min(initial=labels.size) < few * scale**2:
        return False
    inner = np.bincount(np.where(void_border(labels), 0, labels).ravel(), minlength=len(figures) + 1)[1:]
    if inner.min(initial=labels.size) < FEWEST_PIXELS:
        return False
    for figure, area in zip(figures, areas, strict=True):
        left, top, right, bottom = figure.box()
        shift = np.array((-left, -top))
        window = math.ceil((bottom - top) * scale) + 1, math.ceil((right - left) * scale) + 1
        alone = number_map([[points + shift for points in figure.outline]], window, scale)
        if area < GOOD_SHARE * np.count_nonzero(alone):
            return False
    return True


def _paint(rng: np.random.Generator, canvas: Image.Image, figures: list[Figure]) -> None:
    """Paint the figures onto the background, each with a shadow on the ground."""
    fine = samples_per_pixel((canvas.height, canvas.width))
    for figure in figures:
        left, top, right, bottom = figure.box()
        depth = 0.04 * (bottom - top) + 0.06 * (right - left)
        shadow(canvas, ((left + right) / 2, bottom - depth * 0.3), ((right - left) * 0.55, depth), 0.5)
        paint(canvas, figure, rng, fine)
