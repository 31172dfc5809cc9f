"""A large picture is read, compared and drawn with few bytes for each of its pixels."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIDE = 2500
PEAK = """
import resource, sys
from pathlib import Path
def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""
READ = """
from rsis.config.datasets import MapsDataset
from rsis.data.readers.open import open_split
from rsis.eval.truths.open import load_ground_truth
from rsis.tracking.agreement import ComparedReader
split = {"images": "images", "maps": "maps"}
source = {"kind": "folder", "path": "unused"}
dataset = MapsDataset.model_validate({"format": "maps", "source": source, "size": (32, 32), "splits": {"train": split}})
reader = ComparedReader(open_split(dataset, Path(), "train"), load_ground_truth(dataset, Path(), "train"))
assert reader.read("small").instance_map.max() == 4
before = peak()
assert reader.read("large").instance_map.max() == 4
print(peak() - before)
"""
DRAW = """
import numpy as np
from rsis.predict.patch import Patch
from rsis.tool.instance import Instance
from rsis.tool.result import ImageResult
def result(side):
    masks = np.zeros((3, side, side), bool)
    for k in range(3):
        masks[k, 10 * k : 10 * k + 5] = True
    found = tuple(Instance(k + 1, Patch.of(masks[k]), 1, "cell", np.ones(1), 1.0, k) for k in range(3))
    return ImageResult("a", np.full((side, side, 3), 90, np.uint8), found, (1.0,) * 3, ("cell",))
small, large = result(200), result(SIDE)
small.overlay()
small.save("small.png")
before = peak()
large.overlay()
large.save("large.png")
print(peak() - before)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "maps").mkdir()
    for name, side in (("small", 100), ("large", SIDE)):
        picture = np.full((side, side, 3), (10, 90, 200), np.uint8)
        numbers = np.zeros((side, side), np.uint16)
        for k in range(4):
            numbers[k * side // 4 : (k + 1) * side // 4 - 3, : side // 2] = 300 * (k + 1)
        Image.fromarray(picture).save(tmp_path / f"images/{name}.png", compress_level=1)
        Image.fromarray(numbers).save(tmp_path / f"maps/{name}.png", compress_level=1)
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss differs between systems")
@pytest.mark.parametrize(("code", "most"), [(READ, 24), (DRAW, 14)])  # bytes for each pixel; once 38 and 22
def test_memory_for_each_pixel(folder: Path, code: str, most: int) -> None:
    program = PEAK + code.replace("SIDE", str(SIDE))
    ended = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert int(ended.stdout) < most * SIDE**2


def test_bands_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from pycocotools import mask as coco_mask

    from rsis import masks

    monkeypatch.setattr(masks, "_BAND", 20)  # two rows or columns of the map below
    numbers = np.random.default_rng(5).choice([0, -3, 2, 7, 2**31 + 5], (11, 9)).astype(np.int64)
    ranks = {-3: 0, 0: 0, 2: 1, 7: 2, 2**31 + 5: 3}
    expected = [[ranks[number] for number in row] for row in numbers.tolist()]
    assert masks.relabel(numbers).tolist() == expected
    small = np.where(numbers > 7, 5, numbers)
    ranks[5], ranks[7] = 2, 3
    assert masks.relabel(small).tolist() == [[ranks[number] for number in row] for row in small.tolist()]
    assert masks.distinct(numbers).tolist() == [-3, 0, 2, 7, 2**31 + 5]
    found = masks.encode_labels(small)
    assert list(found) == [2, 5, 7]
    for label, rle in found.items():
        whole = coco_mask.encode(np.asfortranarray(small == label, np.uint8))
        assert rle["counts"] == whole["counts"].decode()
