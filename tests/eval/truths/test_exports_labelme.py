"""Tests of the truth of LabelMe's JSON files."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.export_truth import around, block, draw_pictures, expected, filled, load, objects_of

from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth

CLASSES = ("cat", "dog")
SQUARE = [[1, 1], [4, 1], [4, 4], [1, 4]]  # columns and rows 1 to 3
OTHER = [[5, 0], [8, 0], [8, 2], [5, 2]]


def shape(label: Any = "cat", points: Any = None, **keys: Any) -> dict[str, Any]:
    return {"label": label, "points": SQUARE if points is None else points, **keys}


def write(root: Path, name: str, *shapes: Any, encoding: str = "utf-8", **keys: Any) -> Path:
    path = root / "annotations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": "5.4.1", "shapes": list(shapes), **keys}), encoding=encoding)
    return path


def png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def labelme(root: Path, **keys: Any) -> GroundTruth:
    return load(root, "labelme", **{"classes": CLASSES, **keys})


def test_every_kind_of_shape(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", "new.png", size=(20, 24))
    spots = np.zeros((2, 3), np.uint8)
    spots[0, 0], spots[1, 1:] = 1, 255
    write(
        tmp_path,
        "a.json",
        shape("dog", shape_type=None),
        shape("cat", [[9, 8], [6, 5]], shape_type="rectangle", group_id=None, flags={}, description=""),
        shape(" dog ", [[16, 12], [19, 16]], shape_type="circle"),
        shape("cat", [[22, 0], [24, 1]], shape_type="mask", mask=png(spots)),  # reaches over the edge
        *(shape("cat", shape_type=kind) for kind in ("linestrip", "line", "point", "points", "star")),
        shape("dog", [[0, 18], [3, 18], [3, 20], [0, 20]], shape_type="polygon"),
        imagePath="..\\images\\a.png",
        imageHeight=20,
        imageWidth=24,
        imageData=None,
    )
    write(tmp_path, "settings.json").write_text('{"colours": []}')
    truth = labelme(tmp_path)
    assert truth.image_ids == ("a.png",)  # new.png is not annotated yet
    assert truth.image_path("a.png") == tmp_path / "images/a.png"
    size = truth.size("a.png")
    corner = block((0, 1), (22, 23), size) | block((1, 2), (23, 24), size)
    assert objects_of(truth, "a.png") == expected(
        ("dog", block((1, 4), (1, 4), size)),
        ("cat", block((5, 8), (6, 9), size)),
        ("dog", filled(around(16, 12, 5, 5), size)),
        ("cat", corner),
        ("dog", block((18, 20), (0, 3), size)),
    )
    assert np.unique(truth.instance_map("a.png")).tolist() == [0, 1, 2, 3, 4, 5]


def test_shapes_of_one_label_and_group_are_one_object_at_the_first(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png")
    far = [[0, 0], [1, 0], [1, 1], [0, 1]]
    shapes = [shape("cat", SQUARE, group_id=3), shape("dog", OTHER, group_id=3), shape("cat", far, group_id=3)]
    lone = [shape("dog", far, group_id=4), shape("dog", [[0, 0]], group_id=4), shape("dog", SQUARE)]
    write(tmp_path, "a.json", *shapes, *lone, imagePath="../images/a.png")
    assert objects_of(labelme(tmp_path), "a.png") == expected(
        ("cat", block((1, 4), (1, 4)) | block((0, 1), (0, 1))),
        ("dog", block((0, 2), (5, 8))),
        ("dog", block((1, 4), (1, 4))),  # what cannot be drawn has cost the object of group 4
    )


def test_files_of_old_versions_and_labels_that_are_numbers(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png")
    write(tmp_path, "a.json", shape(3), shape(1.0, OTHER), imagePath="../images/a.png", encoding="utf-16")
    found = objects_of(labelme(tmp_path, classes=("1", "3")), "a.png")
    assert found == expected(("3", block((1, 4), (1, 4))), ("1", block((0, 2), (5, 8))))


@pytest.mark.parametrize(
    ("image_path", "picture", "image_id"),
    [
        ("b.png", "annotations/day1/b.png", "day1/b.png"),
        ("/home/mia/b.PNG", "images/deep/b.png", "deep/b.png"),
        ("gone.png", "annotations/day1/a.png", "day1/a.png"),
        (None, "annotations/day1/a.png", "day1/a.png"),
    ],
)
def test_where_a_picture_is_found(tmp_path: Path, image_path: Any, picture: str, image_id: str) -> None:
    draw_pictures(tmp_path, f"../{picture}")
    write(tmp_path, "day1/a.json", shape(), imagePath=image_path)
    (tmp_path / "images").mkdir(exist_ok=True)
    truth = labelme(tmp_path)
    assert truth.image_ids == (image_id,)
    assert truth.image_path(image_id) == tmp_path / picture
    assert len(truth.annotations(image_id)) == 1


def test_a_picture_inside_of_the_json_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "JPEG", exif=exif)
    data = base64.b64encode(file.getvalue()).decode()
    top = shape("cat", [[0, 0], [6, 0], [6, 2], [0, 2]])
    path = write(tmp_path, "day1/a.json", top, imagePath="a.jpg", imageData=data, imageHeight=8, imageWidth=6)
    truth = labelme(tmp_path)
    assert truth.image_ids == ("day1/a.json",)
    assert truth.image_path("day1/a.json") == path
    assert truth.size("day1/a.json") == (8, 6)
    assert objects_of(truth, "day1/a.json") == expected(("cat", block((0, 2), (0, 6), (8, 6))))
    for wrong in ("b", base64.b64encode(b"GIF89a").decode()):
        write(tmp_path, "day1/a.json", top, imageData=wrong)
        with pytest.raises(UserError, match=r"a\.json: (imageData is no picture in base64|cannot read) "):
            labelme(tmp_path).annotations("day1/a.json")


@pytest.mark.parametrize(("height", "width"), [(6, 8), (8, 6)])
def test_the_size_that_is_written_tells_the_frame(tmp_path: Path, height: int, width: int) -> None:
    draw_pictures(tmp_path, "a.jpg", orientation=6)  # stored 6 x 8, shown 8 x 6
    corner = [[0, 0], [2, 0], [2, 1], [0, 1]]
    write(tmp_path, "a.json", shape("cat", corner), imagePath="a.jpg", imageHeight=height, imageWidth=width)
    shown = block((0, 1), (0, 2), (8, 6)) if height == 8 else block((0, 2), (5, 6), (8, 6))
    for annotated in ("upright", "stored"):
        assert objects_of(labelme(tmp_path, annotated=annotated), "a.jpg") == expected(("cat", shown))


@pytest.mark.parametrize(
    "wrong",
    [
        shape("cat", [[1, 1], [4, 1]]),
        shape("cat", "1 1 4 1"),
        shape("cat", [[1, 1], [4], [4, 4]]),
        shape("cat", [[1, 1], [4, 1], [4, None]]),
        shape("cat", [[1, 1], [4, 1], [4, True]]),
        shape("cat", [[1, 1], [4, 1], [4, float("nan")]]),
        shape("cat", [[1, 1], [4, 1], [4, 10**400]]),
        shape("cat", [[1, 1], [4, 1], [4, 30]]),
        shape("cat", [[1, 1]], shape_type="rectangle"),
        shape("cat", [[1, 1], [1e300, 2]], shape_type="circle"),
        shape("cat", [[1, 1], [3, 3]], shape_type="mask"),
        shape("cat", [[1, 1], [3, 3]], shape_type="mask", mask="AAAA"),
        shape("cat", [[1, 1], [3, 3]], shape_type="mask", mask=png(np.ones((2, 3), np.uint8))),
        shape("cat", [[1, 1], [float("inf"), 3]], shape_type="mask", mask=png(np.ones((3, 3), np.uint8))),
        shape("cat", [[1, 1], [3, 3]], shape_type="mask", mask=png(np.zeros((3, 3), np.uint8))),
        shape("cat", [[1, 1], [3, 3]], shape_type=["mask"]),
    ],
)
def test_what_cannot_be_drawn_costs_only_its_object(tmp_path: Path, wrong: dict[str, Any]) -> None:
    draw_pictures(tmp_path, "a.png")
    write(tmp_path, "a.json", wrong, shape("dog", OTHER), imagePath="a.png")
    assert objects_of(labelme(tmp_path), "a.png") == expected(("dog", block((0, 2), (5, 8))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"a\.json: not valid JSON"),
        ("[" * 100_000, r"a\.json: nested too deeply"),
        ('{"shapes": 3}', r"a\.json: shapes is 3, but"),
        ('{"shapes": [3]}', r"a\.json: shapes\[0\] is 3, but"),
        ('{"shapes": [{"label": {}}]}', r"a\.json: shapes\[0\]\.label is a dict, but expected the name of a class"),
        ('{"shapes": [], "imageHeight": "tall"}', r"imageHeight is 'tall', but expected a whole number of pixels"),
        ('{"shapes": [], "imageHeight": 6, "imageWidth": 9}', r"a\.json: says that a\.png has \(6, 9\) pixels"),
        ('{"shapes": [{"label": "cow"}]}', r"shapes\[0\] is of class 'cow'; expected one of cat, dog; name its"),
        ('{"shapes": [{"label": " "}]}', r"a\.json: shapes\[0\] has no class; expected one of cat, dog"),
    ],
)
def test_faults_of_a_file_are_of_its_picture(tmp_path: Path, text: str, message: str) -> None:
    draw_pictures(tmp_path, "a.png", "b.png")
    write(tmp_path, "b.json", imagePath="b.png")
    write(tmp_path, "a.json", imagePath="a.png").write_text(text.replace('{"shapes', '{"imagePath": "a.png", "shapes'))
    truth = labelme(tmp_path)
    assert truth.image_ids == ("a.png", "b.png")
    assert truth.annotations("b.png") == ()
    with pytest.raises(UserError, match=message) as caught:
        truth.annotations("a.png")
    assert str(caught.value).startswith(str(tmp_path / "annotations"))
    assert "\n" not in str(caught.value)


def test_an_object_without_class_is_of_the_only_one(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png")
    write(tmp_path, "a.json", shape(None), imagePath="a.png")
    assert objects_of(labelme(tmp_path, classes=("leaf",)), "a.png") == expected(("leaf", block((1, 4), (1, 4))))


def test_files_without_a_picture_and_pictures_with_two_files(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png")
    write(tmp_path, "a.json", shape(), imagePath="a.png")
    lost = write(tmp_path, "lost.json", shape(), imagePath="lost.png")
    with pytest.raises(UserError, match=r"lost\.json: names the picture 'lost\.png'; found no such picture"):
        labelme(tmp_path)
    assert labelme(tmp_path, skip_bad=True).image_ids == ("a.png",)
    lost.write_text("{")
    with pytest.raises(UserError, match=r"lost\.json: not valid JSON"):
        labelme(tmp_path, skip_bad=True)
    write(tmp_path, "lost.json", shape(), imagePath="A.png")
    with pytest.raises(UserError, match=r"lost\.json: annotates a\.png, as .*a\.json does; expected one file"):
        labelme(tmp_path)


def test_of_pictures_of_one_name_that_in_the_same_folder(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "day1/a.png", "day2/a.png")
    write(tmp_path, "day1/a.JSON", shape(), imagePath="a.png")
    write(tmp_path, "day2/a.json", shape(), imagePath="a.png")
    assert labelme(tmp_path).image_ids == ("day1/a.png", "day2/a.png")
