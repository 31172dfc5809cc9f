"""Folders of maps as annotation tools and benchmarks write them; see `support.tool_layouts` for what is returned."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from support.tool_layouts import NUMBERS, Drawn
from support.tool_scene import CLASSES, SIZE, instance_map, objects_of, outlines, write_picture

_COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (120, 30, 120))


def _class_map(number: int) -> np.ndarray:
    """Return the number of the class of each pixel, from 1 in the order of `CLASSES`, 0 elsewhere."""
    found = np.zeros(SIZE, np.uint8)
    for item in outlines(number):
        found[item.mask] = CLASSES.index(item.class_name) + 1
    return found


def _save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _coloured(numbers: np.ndarray) -> Image.Image:
    return Image.fromarray(np.array([(0, 0, 0), *_COLOURS], np.uint8)[numbers])


def _indexed(numbers: np.ndarray) -> Image.Image:
    image = Image.fromarray(numbers.astype(np.uint8))
    image.putpalette([value * 7 % 256 for value in range(768)])
    return image


def voc_of_cvat(folder: Path) -> Drawn:
    """Maps in colours, with labelmap.txt."""
    drawn = {}
    for number in NUMBERS:
        stem = write_picture(folder / f"JPEGImages/p{number}.png", number)
        _save(folder / f"SegmentationObject/{stem}.png", _coloured(instance_map(number)))
        _save(folder / f"SegmentationClass/{stem}.png", _coloured(_class_map(number)))
        drawn[stem] = objects_of(number)
    lines = [f"{name}:{','.join(map(str, _COLOURS[k]))}::" for k, name in enumerate(CLASSES)]
    (folder / "labelmap.txt").write_text(
        "\n".join(["# label:color_rgb:parts:actions", "background:0,0,0::", *lines, ""])
    )
    sets = folder / "ImageSets/Segmentation/default.txt"
    sets.parent.mkdir(parents=True)
    sets.write_text("".join(f"{stem}\n" for stem in drawn))
    return drawn


def voc_of_labelme(folder: Path) -> Drawn:
    """Maps of indices, with class_names.txt and pixels that are not annotated."""
    drawn = {}
    for number in NUMBERS:
        stem = write_picture(folder / f"JPEGImages/p{number}.png", number)
        maps = {"Object": instance_map(number), "Class": _class_map(number)}
        for kind, numbers in maps.items():
            _save(folder / f"Segmentation{kind}/{stem}.png", _indexed(np.where(np.eye(*SIZE, 60) > 0, 255, numbers)))
            _save(folder / f"Segmentation{kind}Visualization/{stem}.jpg", _coloured(numbers))
        drawn[stem] = objects_of(number)
    (folder / "class_names.txt").write_text("\n".join(["_background_", *CLASSES]))
    return drawn


def films(folder: Path) -> Drawn:
    """Two films of the Cell Tracking Challenge, with maps of three frames of each, and markers of all."""
    drawn = {}
    for film, first in (("01", 0), ("02", 3)):
        for frame in range(first, first + 5):
            write_picture(folder / film / f"t{frame:03d}.tif", frame)
            path = folder / f"{film}_GT/TRA/man_track{frame:03d}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, (instance_map(frame) > 0).astype(np.uint16))
            if frame < first + 3:
                path = folder / f"{film}_GT/SEG/man_seg{frame:03d}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, instance_map(frame).astype(np.uint16))
                drawn[f"{frame:03d}"] = objects_of(frame, "object")
    (folder / "01_GT/TRA/man_track.txt").write_text("1 0 4 0\n")
    return drawn


def stardist(folder: Path) -> Drawn:
    drawn = {}
    for number in NUMBERS:
        part = "train" if number < 4 else "test"
        stem = write_picture(folder / part / f"images/p{number}.tif", number)
        (folder / part / "masks").mkdir(exist_ok=True)
        tifffile.imwrite(folder / part / f"masks/{stem}.tif", instance_map(number).astype(np.int64))
        drawn[stem] = objects_of(number, "object")
    return drawn
