"""Tests of the ground truths of CVPPP and COCO, on cases solved by hand and on real annotations."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.reference_data import NUCLEI

from rsis.config.datasets import CocoDataset, CvpppDataset
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import decode_rle

SOURCE = {"kind": "folder", "path": "unused"}


def cvppp(take: tuple[int, int] | None = None) -> CvpppDataset:
    split = {"folder": "A1", "take": take}
    return CvpppDataset.model_validate({"format": "cvppp", "source": SOURCE, "size": (8, 8), "splits": {"test": split}})


def coco() -> CocoDataset:
    split = {"annotations": "test.json", "images": "pictures"}
    return CocoDataset.model_validate({"format": "coco", "source": SOURCE, "size": (8, 8), "splits": {"test": split}})


def write_plants(root: Path, maps: dict[str, np.ndarray]) -> None:
    (root / "A1").mkdir(parents=True)
    for name, labels in maps.items():
        Image.new("RGB", labels.shape[::-1]).save(root / "A1" / f"{name}_rgb.png")
        image = Image.fromarray(labels.astype(np.uint8), "L")
        image = image.convert("P")
        image.putpalette([value % 256 for value in range(0, 768 * 7, 7)])  # colours that differ from the indices
        image.putdata(labels.ravel().tolist())
        image.save(root / "A1" / f"{name}_label.png")


@pytest.fixture
def plants(tmp_path: Path) -> Path:
    maps = {f"plant{n:03}": np.full((4, 6), 0) for n in (10, 2, 33, 1)}
    maps["plant002"][1, 1:3] = 1
    maps["plant002"][2] = 5
    write_plants(tmp_path, maps)
    return tmp_path


def document() -> dict[str, Any]:
    """Return the JSON of two images: 4 x 6 pixels with a polygon under a smaller mask and a crowd, and one empty."""
    square = {"size": [4, 6], "counts": [0, 8, 16]}  # columns 0 and 1
    return {
        "info": {"description": "ids are text"},
        "images": [
            {"id": "b", "file_name": "second.png", "height": 4, "width": 6},
            {"id": "a", "file_name": "first.png", "height": 3, "width": 2},
        ],
        "categories": [{"id": 7, "name": "nut"}, {"id": 3, "name": "bolt"}],
        "annotations": [
            {"id": "x", "image_id": "b", "category_id": 3, "segmentation": [[1, 0, 4, 0, 4, 4, 1, 4]], "area": 11.5},
            {"id": "y", "image_id": "b", "category_id": 7, "segmentation": square},
            {
                "id": "z",
                "image_id": "b",
                "category_id": 7,
                "iscrowd": 1,
                "segmentation": {"size": [4, 6], "counts": "<<"},
            },
        ],
    }


def load_coco(root: Path, content: dict[str, Any]) -> GroundTruth:
    (root / "test.json").write_text(json.dumps(content))
    return load_ground_truth(coco(), root, "test")


def test_cvppp_labels_are_the_palette_indices_in_order_of_the_names(plants: Path) -> None:
    truth = load_ground_truth(cvppp(), plants, "test")
    assert truth.image_ids == ("plant001", "plant002", "plant010", "plant033")
    assert truth.class_names == ("leaf",)
    assert truth.size("plant002") == (4, 6)
    assert truth.image_path("plant002") == plants / "A1" / "plant002_rgb.png"
    labels = truth.instance_map("plant002")
    assert labels.dtype == np.int32
    assert labels.tolist() == [[0] * 6, [0, 1, 1, 0, 0, 0], [5] * 6, [0] * 6]
    ignored = truth.ignore_mask("plant002")
    assert ignored.shape == (4, 6)
    assert not ignored.any()


def test_cvppp_objects_are_the_labels_above_zero(plants: Path) -> None:
    truth = load_ground_truth(cvppp(), plants, "test")
    small, large = truth.annotations("plant002")
    assert (small.area, small.class_id, small.iscrowd) == (2, 1, False)
    np.testing.assert_array_equal(decode_rle(large.rle), truth.instance_map("plant002") == 5)
    assert truth.annotations("plant001") == ()


def test_cvppp_split_takes_positions_of_the_sorted_names(plants: Path) -> None:
    assert load_ground_truth(cvppp((1, 3)), plants, "test").image_ids == ("plant002", "plant010")
    with pytest.raises(UserError, match=r"has 4 images .*expected some, at positions 2 to 4"):
        load_ground_truth(cvppp((2, 5)), plants, "test")


def test_cvppp_names_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    write_plants(tmp_path, {name: np.zeros((2, 2), int) for name in ("plant10", "plant9", "._plant9", "fern11")})
    assert load_ground_truth(cvppp(), tmp_path, "test").image_ids == ("fern11", "plant9", "plant10")


def test_cvppp_missing_and_wrong_files_are_named(plants: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/A1: no such folder; run `rsis download"):
        load_ground_truth(cvppp(), plants / "nowhere", "test")
    with pytest.raises(UserError, match="no split 'val', but test"):
        load_ground_truth(cvppp(), plants, "val")
    truth = load_ground_truth(cvppp(), plants, "test")
    label = plants / "A1" / "plant001_label.png"
    label.write_bytes(label.read_bytes()[:60])
    with pytest.raises(UserError, match=r"plant001_label\.png: cannot read"):
        truth.instance_map("plant001")
    label.unlink()
    with pytest.raises(UserError, match=r"plant001_label\.png: cannot read.*No such file"):
        truth.instance_map("plant001")
    Image.new("RGB", (6, 4)).save(label)
    with pytest.raises(UserError, match="mode RGB; expected one label a pixel"):
        truth.instance_map("plant001")


def test_coco_smaller_object_keeps_contested_pixels_and_crowds_are_no_objects(tmp_path: Path) -> None:
    truth = load_coco(tmp_path, document())
    assert truth.image_ids == ("second.png", "first.png")
    assert truth.class_names == ("bolt", "nut")
    assert truth.image_path("first.png") == tmp_path / "pictures" / "first.png"
    assert truth.size("first.png") == (3, 2)
    labels = truth.instance_map("second.png")
    assert labels.dtype == np.int32
    assert labels.tolist() == [[2, 2, 1, 1, 0, 0]] * 4  # the polygon covers columns 1 to 3
    assert not truth.instance_map("first.png").any()
    crowd = truth.ignore_mask("second.png")  # the crowd has columns 3 to 5; column 3 is in the polygon
    assert crowd.tolist() == [[False, False, False, False, True, True]] * 4
    assert not truth.ignore_mask("first.png").any()


def test_coco_annotations_keep_whole_masks_areas_and_classes(tmp_path: Path) -> None:
    polygon, square, crowd = load_coco(tmp_path, document()).annotations("second.png")
    assert (polygon.class_id, polygon.area, polygon.iscrowd) == (1, 11.5, False)
    assert (square.class_id, square.area, square.iscrowd) == (2, 8.0, False)
    assert crowd.iscrowd
    assert decode_rle(polygon.rle).tolist() == [[False, True, True, True, False, False]] * 4
    assert decode_rle(square.rle).tolist() == [[True, True, False, False, False, False]] * 4


def test_coco_of_two_objects_of_one_size_the_earlier_keeps_contested_pixels(tmp_path: Path) -> None:
    content = document()
    for item, runs in zip(content["annotations"][:2], ([0, 8, 16], [4, 8, 12]), strict=True):
        item["segmentation"] = {"size": [4, 6], "counts": runs}
    assert load_coco(tmp_path, content).instance_map("second.png").tolist() == [[1, 1, 2, 0, 0, 0]] * 4


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "unknown image": (
        lambda d: d["annotations"][0].update(image_id="q"),
        r"annotations\[0\] \(id 'x'\) names image 'q'",
    ),
    "unknown category": (lambda d: d["annotations"][1].update(category_id=9), r"annotations\[1\] .* category 9"),
    "no categories": (lambda d: d.pop("categories"), "categories is missing"),
    "no images": (lambda d: d.update(images=[], annotations=[]), "lists no image"),
    "two images of one id": (lambda d: d["images"][0].update(id="a"), "names image 'b'"),
    "two images of one name": (lambda d: d["images"][0].update(file_name="first.png"), "listed twice, and they differ"),
    "two classes of one name": (lambda d: d["categories"][0].update(name="bolt"), "2 categories, 'bolt' twice"),
    "two classes of one id": (lambda d: d["categories"][0].update(id=3), r"names image|categories\[1\] has the id 3"),
    "size that is no number": (
        lambda d: d["images"][0].update(height="tall"),
        r"images\[0\] \(id 'b'\): height is 'tall'",
    ),
    "crowd that is none": (lambda d: d["annotations"][2].update(iscrowd=[]), r"\(id 'z'\): iscrowd is a list, but"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_coco_faults_of_the_file_are_named_in_one_line(tmp_path: Path, fault: str) -> None:
    spoil, message = FAULTS[fault]
    content = document()
    spoil(content)
    with pytest.raises(UserError, match=message) as caught:
        load_coco(tmp_path, content)
    assert str(caught.value).startswith(str(tmp_path / "test.json"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "segmentation",
    [
        [],
        [[1, 1, 2, 2]],
        [[1, 1, 2, 2, 1e9, 3]],
        None,
        [["x", "1", "2", "2", "3", "3"]],
        {"size": [6, 4], "counts": [0, 8, 16]},
        {"size": [4, 6], "counts": [0, 8, 15]},
        {"size": [4, 6], "counts": "8"},
        {"size": [4, 6], "counts": [24]},
    ],
)
def test_coco_masks_that_do_not_fit_are_left_out_alone(tmp_path: Path, segmentation: Any) -> None:
    content = document()
    content["annotations"][1]["segmentation"] = segmentation
    polygon, crowd = load_coco(tmp_path, content).annotations("second.png")
    assert (polygon.class_id, polygon.area, crowd.iscrowd) == (1, 11.5, True)


def test_coco_ids_are_compared_as_text(tmp_path: Path) -> None:
    content = document()
    content["images"][0]["id"], content["categories"][0]["id"] = 12, "7"
    for item in content["annotations"]:
        item["image_id"] = "12"
    assert len(load_coco(tmp_path, content).annotations("second.png")) == 3


def test_coco_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"test\.json: cannot read .*run `rsis download"):
        load_ground_truth(coco(), tmp_path, "test")


def test_real_annotations_give_all_their_objects() -> None:
    section = coco().model_dump(mode="python") | {
        "splits": {"test": {"annotations": "test/instances.json", "images": "test/images"}}
    }
    truth = load_ground_truth(CocoDataset.model_validate(section), NUCLEI, "test")
    assert len(truth.image_ids) == 27
    assert truth.class_names == ("nucleus",)
    labels = [np.unique(truth.instance_map(image_id)) for image_id in truth.image_ids]
    assert sum(len(values) - 1 for values in labels) == 335
    for image_id in truth.image_ids:
        with Image.open(truth.image_path(image_id)) as image:
            assert image.size[::-1] == truth.size(image_id)
