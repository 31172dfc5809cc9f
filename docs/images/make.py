"""Make the documentation's pictures from trained runs.

    python docs/images/make.py sequence models/demo.safetensors PICTURE docs/images/demo.jpg
    python docs/images/make.py canvas models/nuclei.safetensors PICTURE docs/images/canvas.jpg
    python docs/images/make.py hundred models/nuclei.safetensors examples/nuclei/test docs/images/hundred.jpg

`sequence` shows a picture, and its objects as they appear in predicted order. `canvas` shows what a step of the pointer
decoder sees of the steps before it: masks in grey, points in red. `hundred` joins pictures of equal size
to a mosaic with a hundred nuclei or more, predicts it as a whole and in tiles, and prints how many nuclei are found.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from torch.nn import functional as F

from rsis import RSIS, Tiling
from rsis.data.readers.images import resize_image
from rsis.masks import map_to_masks, relabel
from rsis.model.pointer.network import PointerNetwork
from rsis.tool.overlay import enlarge
from rsis.tool.result import ImageResult

_GAP = 8  # pixels between two panels
_SIDE = 256  # pixels, side of the pictures in the mosaic
_TILING = Tiling((128, 128), 0.33)


def sequence(model: RSIS, picture: Path, target: Path) -> None:
    """Write the picture with its overlays after some of the objects and after all of them."""
    result = model.predict(picture)
    assert isinstance(result, ImageResult)
    count = len(result.instances)
    panels = [enlarge(Image.fromarray(result.image), shrink=False)]
    panels += [result.overlay(last=max(1, round(count * share))) for share in (0.25, 0.5, 0.75, 1.0)]
    _beside(panels).save(target, quality=88, optimize=True)
    print(f"{picture}: {count} objects")  # noqa: T201


@torch.inference_mode()
def canvas(model: RSIS, picture: Path, target: Path) -> None:
    """Write the picture beside the canvas after some of the steps and after all of them."""
    network = model.network
    assert isinstance(network, PointerNetwork)
    result = model.predict(picture)
    assert isinstance(result, ImageResult)
    side = model.info.size[0]
    resized = resize_image(result.image, model.info.size)
    images = torch.from_numpy(resized.copy()).permute(2, 0, 1)[None]
    state = network.start(network.normalize(images))
    panels = [Image.fromarray(resized).resize((side, side))]
    shown = {round(len(result.instances) * share) for share in (0.25, 0.5, 0.75, 1.0)}
    for step in range(1, len(result.instances) + 1):
        _, state = network.decode(state, 1)
        if step in shown:
            masks = F.interpolate(state.canvas.masks[None], (side, side), mode="bilinear")[0, 0].numpy()
            points = F.interpolate(state.canvas.points[None], (side, side), mode="bilinear")[0, 0].numpy()
            layers = np.stack([np.maximum(0.6 * masks, points), 0.6 * masks * (1 - points), 0.6 * masks * (1 - points)])
            panels.append(Image.fromarray((255 * layers.clip(0, 1)).astype(np.uint8).transpose(1, 2, 0)))
    _beside(panels).save(target, quality=88, optimize=True)
    print(f"{picture}: canvas after {sorted(shown)} steps")  # noqa: T201


def hundred(model: RSIS, folder: Path, target: Path) -> None:
    """Write a mosaic of nuclei with its overlay by tiles; print the numbers found as a whole and in tiles."""
    document = json.loads((folder / "instances.json").read_text())
    mosaic, labels = _mosaic(folder, document, rows=3, columns=3)
    found = {
        "whole": model.predict(mosaic, full_size=True, num_steps=400),
        "in tiles": model.predict(mosaic, tiling=_TILING),
    }
    for how, result in found.items():
        assert isinstance(result, ImageResult)
        truth = map_to_masks(labels)
        ours = map_to_masks(relabel(result.to_instance_map()))
        iou = np.asarray(coco_mask.iou(_encode(ours), _encode(truth), [0] * len(truth)))
        hits = int((iou.max(axis=0) >= 0.5).sum())
        print(f"{how}: {len(result.instances)} predicted, {hits} of {len(truth)} found with an IoU of 0.5")  # noqa: T201
    tiled = found["in tiles"]
    assert isinstance(tiled, ImageResult)
    _beside([Image.fromarray(mosaic), tiled.overlay()]).save(target, quality=80, optimize=True)


def _mosaic(folder: Path, document: dict, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a mosaic of the pictures with most nuclei, and its instance map."""
    counts = {image["id"]: 0 for image in document["images"] if (image["height"], image["width"]) == (_SIDE, _SIDE)}
    for item in document["annotations"]:
        if item["image_id"] in counts:
            counts[item["image_id"]] += 1
    chosen = sorted(counts, key=lambda number: (-counts[number], number))[: rows * columns]
    names = {image["id"]: image["file_name"] for image in document["images"]}
    mosaic = np.zeros((rows * _SIDE, columns * _SIDE, 3), np.uint8)
    labels = np.zeros((rows * _SIDE, columns * _SIDE), np.int32)
    for place, number in enumerate(chosen):
        top, left = _SIDE * (place // columns), _SIDE * (place % columns)
        window = slice(top, top + _SIDE), slice(left, left + _SIDE)
        mosaic[window] = np.asarray(Image.open(folder / "images" / names[number]).convert("RGB"))
        for item in (item for item in document["annotations"] if item["image_id"] == number):
            labels[window][coco_mask.decode(item["segmentation"]) > 0] = labels.max() + 1
    return mosaic, relabel(labels)


def _encode(masks: np.ndarray) -> list:
    return [coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]


def _beside(panels: list[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (sum(p.width for p in panels) + _GAP * (len(panels) - 1), panels[0].height), "white")
    left = 0
    for panel in panels:
        whole.paste(panel, (left, 0))
        left += panel.width + _GAP
    return whole


if __name__ == "__main__":
    what, checkpoint, source, out = sys.argv[1:]
    pictures = {"sequence": sequence, "canvas": canvas, "hundred": hundred}
    pictures[what](RSIS.from_checkpoint(checkpoint), Path(source), Path(out))
