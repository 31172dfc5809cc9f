"""A COCO instance JSON, its pictures, and what the training's reader and the scorers' truth make of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsis.config.datasets import CocoDataset
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import relabel

SIZE = (12, 16)


def square(top: int, left: int, side: int = 3) -> list[float]:
    """A square of whole pixels as a polygon."""
    return [left, top, left + side, top, left + side, top + side, left, top + side]


def document(images: int = 2, objects: int = 2) -> dict[str, Any]:
    """A document of one class, whose objects are squares beside each other."""
    content: dict[str, Any] = {"images": [], "categories": [{"id": 1, "name": "cell"}], "annotations": []}
    for image in range(1, images + 1):
        entry = {"id": image, "file_name": f"p{image}.png", "height": SIZE[0], "width": SIZE[1]}
        content["images"].append(entry)
        for k in range(objects):
            annotation: dict[str, Any] = {"id": 10 * image + k, "image_id": image, "category_id": 1, "iscrowd": 0}
            annotation |= {"segmentation": [square(2, 1 + 4 * k)], "bbox": [1 + 4 * k, 2, 3, 3], "area": 9}
            content["annotations"].append(annotation)
    return content


def write(folder: Path, content: Any, split: str = "train", pictures: tuple[str, ...] | None = None) -> None:
    """Write SPLIT.json and its pictures into the folder SPLIT; bytes are written as they are."""
    (folder / split).mkdir(parents=True, exist_ok=True)
    if pictures is None:
        pictures = tuple(image["file_name"] for image in content["images"])
    for name in pictures:
        path = folder / split / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = (40 + len(list((folder / split).iterdir())), *split.encode()[:2])  # no picture is there twice
        Image.new("RGB", SIZE[::-1], colour).save(path)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / f"{split}.json").write_bytes(data)


def dataset(*splits: str, **keys: Any) -> CocoDataset:
    """The section of params.yaml for what `write` wrote."""
    section = {"format": "coco", "source": {"kind": "folder", "path": "unused"}, "size": (16, 16), **keys}
    section["splits"] = {split: {"annotations": f"{split}.json", "images": split} for split in splits or ("train",)}
    return CocoDataset.model_validate(section)


def by_reader(section: CocoDataset, folder: Path, split: str = "train") -> dict[str, Any]:
    """Return the classes and, for each image, class ids, instance map and ignored pixels; or the error."""
    try:
        reader = open_split(section, folder, split)
        samples = [reader.read(image_id) for image_id in sorted(reader.image_ids)]
    except UserError as error:
        return {"error": str(error)}
    return {"classes": reader.class_names} | {
        item.image_id: (item.class_ids.tolist(), item.instance_map.tolist(), item.ignore_mask.tolist())
        for item in samples
    }


def by_truth(section: CocoDataset, folder: Path, split: str = "train") -> dict[str, Any]:
    """Return the same as `by_reader`, of the ground truth; objects that smaller ones hide have no class here."""
    try:
        truth = load_ground_truth(section, folder, split)  # type: ignore[arg-type]
        found: dict[str, Any] = {"classes": truth.class_names}
        for image_id in sorted(truth.image_ids):
            numbers = truth.instance_map(image_id)
            objects = [item for item in truth.annotations(image_id) if not item.iscrowd]
            visible = [objects[number - 1].class_id for number in np.unique(numbers[numbers > 0])]
            found[image_id] = (visible, relabel(numbers).tolist(), truth.ignore_mask(image_id).tolist())
    except UserError as error:
        return {"error": str(error)}
    return found


def read_alike(section: CocoDataset, folder: Path, split: str = "train") -> dict[str, Any]:
    """Return what the reader finds, after a check that the truth finds the same or refuses it too."""
    ours, theirs = by_reader(section, folder, split), by_truth(section, folder, split)
    if "error" in ours or "error" in theirs:
        assert "error" in ours, theirs
        assert "error" in theirs, ours
        assert "\n" not in ours["error"] + theirs["error"]
        return ours
    assert ours == theirs
    return ours
