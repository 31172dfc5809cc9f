"""Predictions that a tool saved unchanged are read for training, and for scoring, as they were predicted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.export_folder import export_dataset

from rsis.data.readers.open import open_split
from rsis.eval.truths.open import load_ground_truth
from rsis.predict.patch import Patch
from rsis.tool.formats.write import SUFFIX_OF, Format
from rsis.tool.instance import Instance
from rsis.tool.result import ImageResult

CLASSES = ("cat", "dog")
SIZE = (60, 80)


def predicted(path: Path) -> ImageResult:
    """Three objects that do not overlap: with a hole, of two parts, and of a few pixels; written beside a picture."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    masks = (
        (np.hypot(y - 20, x - 22) < 15) & (np.hypot(y - 21, x - 20) > 5),
        (np.hypot(y - 40, x - 50) < 9) | ((y > 50) & (x > 60)),
        (y < 4) & (x > 76),
    )
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(path)
    found = [
        Instance(n + 1, Patch.of(mask), n % 2 + 1, CLASSES[n % 2], np.array([0.5, 0.5]), 0.9, n)
        for n, mask in enumerate(masks)
    ]
    return ImageResult(str(path), np.zeros((*SIZE, 3), np.uint8), tuple(found), (0.9,) * 3, CLASSES)


@pytest.mark.parametrize("kind", ["yolo", "labelme", "imagej", "geojson"])
def test_what_was_written_is_read_again_pixel_for_pixel(tmp_path: Path, kind: Format) -> None:
    (tmp_path / "images").mkdir()
    result = predicted(tmp_path / "images/a.png")
    result.save(tmp_path / "found" / f"a{SUFFIX_OF[kind]}", kind, tolerance=0)
    classes = ("object",) if kind == "imagej" else CLASSES  # ROI files have no classes
    dataset = export_dataset(kind, "found", classes=classes)
    sample = open_split(dataset, tmp_path, "train").read("a.png")
    truth = load_ground_truth(dataset, tmp_path, "train")
    assert np.array_equal(sample.instance_map, result.to_instance_map())
    assert np.array_equal(truth.instance_map("a.png"), result.to_instance_map())
    expected = [1 if kind == "imagej" else item.class_id for item in result.instances]
    assert sample.class_ids.tolist() == expected
    assert [item.class_id for item in truth.annotations("a.png")] == expected
