"""A user's annotated pictures in the layouts that `rsis init` accepts: bright discs on a dark background."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.masks import encode_rle


def discs(number: int, size: tuple[int, int] = (48, 64), objects: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture, uint8 [H, W, 3], and its instance map, int32 [H, W], whose labels have gaps."""
    random = np.random.default_rng(number)
    rows, columns = np.indices(size)
    labels = np.zeros(size, np.int32)
    for k in range(objects):
        row, column = random.integers(5, size[0] - 5), random.integers(5, size[1] - 5)
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= random.integers(3, 6) ** 2] = 2 * k + 1
    image = random.integers(0, 60, (*size, 3)) + 150 * (labels > 0)[..., None]
    return image.astype(np.uint8), labels


def write_maps(folder: Path, names: list[str], images: str = "images", maps: str = "labels", suffix: str = "") -> None:
    """Write pictures and 16-bit instance maps."""
    for number, name in enumerate(names):
        image, labels = discs(number)
        for part, array, stem in ((images, image, name), (maps, labels.astype(np.uint16), name + suffix)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / part / f"{stem}.png")


def write_masks(folder: Path, names: list[str]) -> None:
    """Write a folder for each picture, with a mask for each object."""
    for number, name in enumerate(names):
        image, labels = discs(number)
        for part in ("images", "masks"):
            (folder / name / part).mkdir(parents=True)
        Image.fromarray(image).save(folder / name / "images" / f"{name}.png")
        for label in np.unique(labels[labels > 0]):
            mask = 255 * (labels == label).astype(np.uint8)
            Image.fromarray(mask).save(folder / name / "masks" / f"{name}-{label}.png")


def write_coco(path: Path, pictures: Path, names: list[str]) -> None:
    """Write a COCO JSON, whose objects alternate between two classes, and its pictures."""
    pictures.mkdir(parents=True, exist_ok=True)
    document: dict[str, list] = {"images": [], "annotations": []}
    document["categories"] = [{"id": 3, "name": "round"}, {"id": 8, "name": "flat"}]
    for number, name in enumerate(names):
        image, labels = discs(number)
        Image.fromarray(image).save(pictures / f"{name}.png")
        document["images"].append(
            {"id": number, "file_name": f"{name}.png", "height": image.shape[0], "width": image.shape[1]}
        )
        for k, label in enumerate(np.unique(labels[labels > 0])):
            mask = labels == label
            document["annotations"].append(
                {
                    "id": len(document["annotations"]),
                    "image_id": number,
                    "category_id": (3, 8)[k % 2],
                    "segmentation": dict(encode_rle(mask)),
                    "area": int(mask.sum()),
                    "bbox": [0, 0, 1, 1],
                    "iscrowd": 0,
                }
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
