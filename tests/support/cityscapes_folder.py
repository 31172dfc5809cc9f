"""A small data set in the layout of Cityscapes, and the unchanged official scorer, for comparison with ours."""

import importlib.util
import json
import os
import types
from pathlib import Path
from typing import Any

import numpy as np
from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as official
from cityscapesscripts.evaluation.instances2dict import instances2dict
from PIL import Image

NUMBERS = (0, 1, 3, 7, 9, 23, 24, 26, 29, 33, 24000, 24001, 25000, 26000, 26001, 26012, 29000, 30001, 32000, 33000)


def random_ids(rng: np.random.Generator, size: tuple[int, int], shapes: int = 12) -> np.ndarray:
    """Return an annotation, int32 [H, W]: road under rectangles of objects, groups, void and labels not evaluated."""
    ids = np.full(size, 7, np.int32)
    for number in rng.choice(NUMBERS, shapes):
        ids[random_box(rng, size)] = number
    return ids


def random_box(rng: np.random.Generator, size: tuple[int, int]) -> tuple[slice, slice]:
    (top, bottom), (left, right) = (np.sort(rng.integers(0, side + 1, 2)) for side in size)
    return slice(top, bottom), slice(left, right)


def truth_path(root: Path, folder: str, image_id: str) -> Path:
    return root / "gtFine" / folder / image_id.split("_")[0] / f"{image_id}_gtFine_instanceIds.png"


def picture_path(root: Path, folder: str, image_id: str) -> Path:
    return root / "leftImg8bit" / folder / image_id.split("_")[0] / f"{image_id}_leftImg8bit.png"


def write_ids(root: Path, folder: str, image_id: str, ids: np.ndarray) -> None:
    """Write an annotation in the benchmark's format, 16-bit grey."""
    path = truth_path(root, folder, image_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids.astype(np.uint16)).save(path)
    assert Image.open(path).mode == "I;16"


def write_image(root: Path, folder: str, image_id: str, ids: np.ndarray) -> np.ndarray:
    """Write an annotation and a picture of noise; return the picture, uint8 [H, W, 3]."""
    write_ids(root, folder, image_id, ids)
    path = picture_path(root, folder, image_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.random.default_rng(ids.size).integers(0, 256, (*ids.shape, 3), np.uint8)
    Image.fromarray(picture).save(path)
    return picture


def write_disparity(root: Path, folder: str, image_id: str, stored: np.ndarray, fx: float, baseline: float) -> None:
    """Write a disparity image with these stored values, and its camera file."""
    city = image_id.split("_")[0]
    for kind in ("disparity", "camera"):
        (root / kind / folder / city).mkdir(parents=True, exist_ok=True)
    Image.fromarray(stored.astype(np.uint16)).save(root / "disparity" / folder / city / f"{image_id}_disparity.png")
    camera = {"extrinsic": {"baseline": baseline, "pitch": 0.03}, "intrinsic": {"fx": fx, "fy": fx, "u0": 1, "v0": 1}}
    (root / "camera" / folder / city / f"{image_id}_camera.json").write_text(json.dumps(camera))


def stock_module() -> Any:
    """Return a separate copy of the official module, with the function that current numpy no longer has."""
    spec = importlib.util.spec_from_file_location("stock_cityscapes", official.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    numpy = types.ModuleType("numpy")
    numpy.__dict__.update(np.__dict__ | {"in1d": lambda values, wanted: np.isin(values, wanted).ravel()})
    module.np = numpy  # type: ignore[attr-defined]
    module.args.quiet = True
    module.setInstanceLabels(module.args)
    return module


def stock_averages(truths: list[Path], submission: Path) -> dict[str, Any]:
    """Return the averages of the official scorer, by its own functions from reading the files to averaging."""
    stock = stock_module()
    args = stock.args
    args.predictionPath = str(submission.resolve())
    paths = [str(path) for path in truths]
    objects = {os.path.abspath(path): instances2dict(path)[os.path.abspath(path)] for path in paths}  # noqa: PTH100
    matches = stock.matchGtWithPreds([stock.getPrediction(path, args) for path in paths], paths, objects, args)
    averages: dict[str, Any] = stock.computeAverages(stock.evaluateMatches(matches, args), args)
    return averages
