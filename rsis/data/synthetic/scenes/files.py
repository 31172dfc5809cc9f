"""The files of one generated scene in the formats of Pascal VOC and of sbdataset, the Semantic Boundaries Dataset.

The `.mat` files are MATLAB 5 files with one struct each:

    inst/ID.mat  GTinst: Segmentation uint8 [H, W], 0 background, 1..N objects; Categories uint8 [N, 1];
                 Boundaries cell [N, 1] of sparse [H, W], 1 along the edge of each object
    cls/ID.mat   GTcls: Segmentation uint8 [H, W], class 0..20; CategoriesPresent uint8 [n, 1];
                 Boundaries cell [20, 1] of sparse [H, W], one per class
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from scipy import io as scipy_io
from scipy import sparse

from rsis.masks import map_to_masks
from rsis.structures import RawSample

VOC = "VOCdevkit/VOC2012"
SBDATASET = "benchmark_RELEASE/dataset"
VOID = 255
NUM_CLASSES = 20
MAT_HEADER = b"MATLAB 5.0 MAT-file, generated".ljust(116)  # replaces a header with the date


def colour_map() -> np.ndarray:
    """Return the palette of VOC, uint8 [256, 3], which distributes the bits of the index over the three channels."""
    index = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def make_folders(folder: Path) -> None:
    """Make the empty folders of both data sets."""
    for name in ("JPEGImages", "Annotations", "SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"):
        (folder / VOC / name).mkdir(parents=True, exist_ok=True)
    for name in ("img", "inst", "cls"):
        (folder / SBDATASET / name).mkdir(parents=True, exist_ok=True)


def encode_jpeg(image: np.ndarray) -> bytes:
    """Return a picture, uint8 [H, W, 3], as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def write_voc(folder: Path, scene: RawSample, annotated: RawSample, names: Sequence[str], jpeg: bytes) -> None:
    """Write the four VOC files of a scene.

    Args:
        folder: Folder that contains `VOCdevkit`.
        scene: The scene without void, for the boxes.
        annotated: The scene with its void border, for the masks.
        names: Class name of each object.
        jpeg: The bytes of the JPEG file.
    """
    root, name = folder / VOC, scene.image_id
    (root / "JPEGImages" / f"{name}.jpg").write_bytes(jpeg)
    (root / "Annotations" / f"{name}.xml").write_text(_annotation(scene, names) + "\n", encoding="utf-8")
    objects = annotated.instance_map.astype(np.uint8)
    classes = np.concatenate(([0], annotated.class_ids)).astype(np.uint8)[objects]
    for kind, indices in (("SegmentationObject", objects), ("SegmentationClass", classes)):
        image = Image.fromarray(np.where(annotated.ignore_mask, np.uint8(VOID), indices))
        image.putpalette(colour_map().ravel().tolist())
        image.save(root / kind / f"{name}.png")


def write_voc_lists(folder: Path, sets: Mapping[str, Sequence[str]]) -> None:
    """Write the image sets of VOC and their union `trainval`; each list is sorted."""
    union = [name for names in sets.values() for name in names]
    for name, ids in {**sets, "trainval": union}.items():
        _write_lines(folder / VOC / "ImageSets" / "Segmentation" / f"{name}.txt", sorted(ids))


def write_sbdataset(folder: Path, scene: RawSample, jpeg: bytes) -> None:
    """Write the three sbdataset files of a scene, in which every pixel is annotated."""
    root, name = folder / SBDATASET, scene.image_id
    (root / "img" / f"{name}.jpg").write_bytes(jpeg)
    masks = map_to_masks(scene.instance_map)
    instances = {
        "Segmentation": scene.instance_map.astype(np.uint8),
        "Boundaries": _cell([_boundary(mask) for mask in masks]),
        "Categories": scene.class_ids.astype(np.uint8)[:, None],
    }
    classes = np.concatenate(([0], scene.class_ids)).astype(np.uint8)[scene.instance_map]
    present = np.unique(scene.class_ids).astype(np.uint8)
    empty = sparse.csc_matrix(classes.shape, dtype=np.float64)
    edges = [_boundary(classes == number) if number in present else empty for number in range(1, NUM_CLASSES + 1)]
    whole = {"Segmentation": classes, "Boundaries": _cell(edges), "CategoriesPresent": present[:, None]}
    _write_mat(root / "inst" / f"{name}.mat", {"GTinst": instances})
    _write_mat(root / "cls" / f"{name}.mat", {"GTcls": whole})


def write_sbdataset_lists(folder: Path, ids: Sequence[str]) -> None:
    """Write train.txt and val.txt of sbdataset; every fourth id goes to val.txt."""
    _write_lines(folder / SBDATASET / "train.txt", sorted(name for i, name in enumerate(ids) if i % 4 != 3))
    _write_lines(folder / SBDATASET / "val.txt", sorted(name for i, name in enumerate(ids) if i % 4 == 3))


def _annotation(scene: RawSample, names: Sequence[str]) -> str:
    """Return VOC's XML with the boxes; their pixels are counted from 1, and both ends are included."""
    height, width = scene.instance_map.shape
    root = ElementTree.Element("annotation")
    _add(root, {"folder": "VOC2012", "filename": f"{scene.image_id}.jpg"})
    _add(ElementTree.SubElement(root, "source"), {"database": "generated scenes"})
    _add(ElementTree.SubElement(root, "size"), {"width": width, "height": height, "depth": 3})
    _add(root, {"segmented": 1})
    for number, name in enumerate(names, start=1):
        rows, columns = np.nonzero(scene.instance_map == number)
        box = {"xmin": columns.min() + 1, "ymin": rows.min() + 1, "xmax": columns.max() + 1, "ymax": rows.max() + 1}
        cut = box["xmin"] == 1 or box["ymin"] == 1 or box["xmax"] == width or box["ymax"] == height
        entry = ElementTree.SubElement(root, "object")
        _add(entry, {"name": name, "pose": "Unspecified", "truncated": int(cut), "difficult": 0})
        _add(ElementTree.SubElement(entry, "bndbox"), box)
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, encoding="unicode")


def _add(parent: ElementTree.Element, values: Mapping[str, object]) -> None:
    """Append one element per entry, with the value as its text."""
    for name, value in values.items():
        ElementTree.SubElement(parent, name).text = str(value)


def _boundary(mask: np.ndarray) -> sparse.csc_matrix:
    """Return the pixels of a mask that have a neighbour outside of it, as a sparse matrix of doubles."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return sparse.csc_matrix((mask & ~inner).astype(np.float64))


def _cell(values: Sequence[Any]) -> np.ndarray:
    """Return an object array [n, 1], which scipy writes as a cell array."""
    cell = np.empty((len(values), 1), object)
    cell[:, 0] = values
    return cell


def _write_mat(path: Path, variables: dict[str, Any]) -> None:
    """Write a compressed MATLAB 5 file; equal variables give equal bytes."""
    scipy_io.savemat(path, variables, do_compression=True)
    with path.open("r+b") as file:
        file.write(MAT_HEADER)


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
