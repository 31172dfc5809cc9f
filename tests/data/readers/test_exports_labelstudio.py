"""Tests of the reader of Label Studio's JSON exports."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.export_folder import SIZE, Lost, box, check_objects, corners, open_export, round_mask, write_picture

from rsis.data.readers.base import BadSampleError, notes_of
from rsis.data.readers.outline_reader import OutlineReader
from rsis.errors import UserError


def _item(kind: str, labels: Any, number: str = "r1", **value: Any) -> dict[str, Any]:
    own = {} if labels is None else {kind: labels}
    size = {"original_height": SIZE[0], "original_width": SIZE[1], "image_rotation": 0}
    return {"id": number, "type": kind, "from_name": "label", "to_name": "image", **size, "value": {**value, **own}}


def _percent(points: list[list[float]]) -> list[list[float]]:
    return [[100 * x / SIZE[1], 100 * y / SIZE[0]] for x, y in points]


def _square(label: str | None, left: int, top: int, right: int, bottom: int, **keys: Any) -> dict[str, Any]:
    points = _percent(corners(left, top, right, bottom))
    return _item("polygonlabels", None if label is None else [label], points=points, **keys)


def _encode(mask: np.ndarray, literal: bool = False) -> list[int]:
    """Return Label Studio's encoding of a mask, with counts of 3 and 10 bits."""
    values = [int(value) for value in np.repeat(mask.ravel() * 255, 4)]
    bits = f"{len(values):032b}" + "00111" + "0010" + "1001" + "0000" + "0000"
    start = 0
    while start < len(values):
        if literal:
            end = min(start + 5, len(values))  # which divides no pixel evenly
            bits += "0" + "00" + f"{end - start - 1:03b}" + "".join(f"{value:08b}" for value in values[start:end])
        else:
            end = start
            while end < len(values) and values[end] == values[start] and end - start < 1024:
                end += 1
            bits += "1" + "01" + f"{end - start - 1:010b}" + f"{values[start]:08b}"
        start = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[first : first + 8], 2) for first in range(0, len(bits), 8)]


def _task(*items: Any, name: str = "/data/upload/1/1a2b3c4d-a.png", **keys: Any) -> dict[str, Any]:
    annotation = {"id": 3, "was_cancelled": False, "ground_truth": False, "result": list(items)}
    return {"id": 7, "data": {"image": name}, "annotations": [annotation], **keys}


def _open(root: Path, *tasks: Any, lost: Lost | None = None, **keys: Any) -> OutlineReader:
    write_picture(root / "images/a.png")
    (root / "tasks.json").write_text(json.dumps(tasks))
    arguments = ("labelstudio", "tasks.json")
    return open_export(root, *arguments, on_missing=lost, **keys) if lost else open_export(root, *arguments, **keys)


_BLOB = np.random.default_rng(2).random(SIZE) > 0.5


@pytest.mark.parametrize("literal", [True, False])
def test_brush(tmp_path: Path, literal: bool) -> None:
    item = _item("brushlabels", ["dog"], format="rle", rle=_encode(_BLOB, literal))
    check_objects(_open(tmp_path, _task(item)).read("a.png"), (_BLOB, 2))


def test_all_shapes(tmp_path: Path) -> None:
    ellipse: dict[str, Any] = {"x": 50.0, "y": 50.0, "radiusX": 12.5, "radiusY": 25.0, "rotation": 40}
    reader = _open(
        tmp_path,
        _task(
            _square("cat", 0, 0, 3, 2),
            _item("ellipselabels", [" dog"], **ellipse),
            _item("rectanglelabels", ["dog"], x=1, y=1, width=5, height=5, rotation=0),
            _item("keypointlabels", ["dog"], x=1, y=1, width=0.2),
            _item("brushlabels", ["dog"], format="rle", rle=_encode(_BLOB)[:20]),
            _item("brushlabels", ["dog"], format="rle", rle=_encode(_BLOB[:5])),
            _item("brushlabels", ["dog"], format="rle", rle=[1, 2.5, "x"]),
            _item("brushlabels", ["dog"], format="rle", rle=[1, 300]),
            _item("polygonlabels", ["dog"], points=[[1, 1], [2, 2]]),
            _item("choices", None, choices=["bird"]),
            _item("textarea", None, text=["bird"]),
            {"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "right"},
        ),
    )
    sample = reader.read("a.png")
    check_objects(sample, (box(0, 0, 3, 2), 1), (round_mask(8, 6, 2, 3, 40), 2))
    assert sample.dropped == ("box without outline", *["cannot be drawn"] * 6)
    assert sample.drop_details[0].startswith(f"{tmp_path / 'tasks.json'}: task 0 (id 7): result[2] of a.png: a box")


def test_label_may_be_an_item_of_its_own(tmp_path: Path) -> None:
    shape = {**_square(None, 0, 0, 3, 2, number="r5"), "type": "polygon"}
    label = _item("labels", ["dog"], number="r5", points=[[1, 1]])
    other = _item("labels", ["cat"], number="r6")
    brush = _item("brush", None, number="r6", format="rle", rle=_encode(box(8, 1, 16, 12)))
    check_objects(
        _open(tmp_path, _task(shape, label, other, brush)).read("a.png"), (box(0, 0, 3, 2), 2), (box(8, 1, 16, 12), 1)
    )


def test_one_annotation_of_a_task_counts(tmp_path: Path) -> None:
    first, second, third = ({"result": [_square("cat", 4 * k, 0, 4 * k + 2, 2)]} for k in range(3))
    cancelled = {**first, "was_cancelled": True}
    best = {**third, "ground_truth": True}
    for annotations, kept, unused in (
        ([first, second], 0, 1),
        ([cancelled, second, third], 1, 1),
        ([first, second, best], 2, 2),
    ):
        reader = _open(tmp_path, {"data": {"image": "a.png"}, "completions": annotations})
        check_objects(reader.read("a.png"), (box(4 * kept, 0, 4 * kept + 2, 2), 1))
        assert notes_of(reader) == (
            f"{tmp_path / 'tasks.json'}: further annotations of tasks, which are not used: {unused}",
        )


def test_task_without_annotation_is_left_out_and_one_without_regions_is_not(tmp_path: Path) -> None:
    for name in ("b.png", "c.png", "d.png"):
        write_picture(tmp_path / f"images/{name}")
    tasks = [
        {"data": {"image": "b.png"}, "annotations": []},
        {"data": {"image": "c.png"}, "annotations": [{"was_cancelled": True, "result": []}]},
        _task(name="/data/local-files/?d=d.png"),
        _task(_square("cat", 0, 0, 3, 2), name="https://x.org/a.png?token=1"),
    ]
    reader = _open(tmp_path, *tasks)
    assert reader.image_ids == ("a.png", "d.png")
    check_objects(reader.read("d.png"))
    assert notes_of(reader) == (
        f"{tmp_path / 'tasks.json'}: tasks without annotation yet, which are left out: 2 (the first: b.png, c.png)",
    )


def test_short_export(tmp_path: Path) -> None:
    size = {"original_height": SIZE[0], "original_width": SIZE[1]}
    regions = [
        {"points": _percent(corners(0, 0, 3, 2)), "polygonlabels": ["cat"], "closed": True, **size},
        {"x": 50, "y": 50, "radiusX": 12.5, "radiusY": 25, "rotation": 0, "ellipselabels": ["dog"], **size},
        {"x": 1, "y": 1, "width": 2, "height": 2, "rotation": 0, "rectanglelabels": ["dog"], **size},
        {"x": 1, "y": 1, "width": 2, "keypointlabels": ["dog"], **size},
    ]
    mask = box(12, 1, 16, 12)
    brush = [{"format": "rle", "rle": _encode(mask), "brushlabels": ["dog"], **size}]
    task = {"id": 1, "image": "a.png", "label": regions, "brush": brush, "annotator": 1, "annotation_id": 5}
    again = {**task, "label": [], "annotation_id": 6}
    reader = _open(tmp_path, task, again)
    sample = reader.read("a.png")
    check_objects(sample, (box(0, 0, 3, 2), 1), (round_mask(8, 6, 2, 3), 2), (mask, 2))
    assert sample.dropped == ("box without outline", "cannot be drawn")
    assert notes_of(reader) == (f"{tmp_path / 'tasks.json'}: further annotations of tasks, which are not used: 1",)


def test_picture_may_have_another_key(tmp_path: Path) -> None:
    task = _task(_square("cat", 0, 0, 3, 2))
    check_objects(
        _open(tmp_path, {**task, "data": {"text": "some", "photo": "a.png"}}).read("a.png"), (box(0, 0, 3, 2), 1)
    )
    with pytest.raises(UserError, match=r"task 0 .*: has 2 pictures in data"):
        _open(tmp_path, {**task, "data": {"one": "a.png", "photo": "a.png"}})


def test_size_is_that_of_the_file(tmp_path: Path) -> None:
    item = _square("cat", 0, 0, 3, 2) | {"original_height": 99}
    with pytest.raises(BadSampleError, match=r"a.png: 12 x 16 pixels, tasks.json says 99 x 16"):
        _open(tmp_path, _task(item)).read("a.png")
    unknown = {key: value for key, value in item.items() if not key.startswith("original")}
    check_objects(_open(tmp_path, _task(unknown)).read("a.png"), (box(0, 0, 3, 2), 1))


def test_missing_picture_is_lost(tmp_path: Path) -> None:
    lost = Lost()
    reader = _open(tmp_path, _task(), _task(name="s3://bucket/b.png"), lost=lost)
    assert reader.image_ids == ("a.png",)
    assert [message.partition(":")[0] for message in lost.messages] == [str(tmp_path / "images/b.png")]


@pytest.mark.parametrize(
    ("tasks", "found"),
    [
        ((5,), "task 0: found 5"),
        (({"data": 5},), "task 0: data is 5"),
        (({"data": {}},), "task 0: has 0 pictures"),
        (({"data": {"image": "a.png"}, "annotations": 5},), "task 0: annotations is no list"),
        (({"data": {"image": "a.png"}, "annotations": [{}]},), "task 0: result is no list"),
        ((_task(_square("bird", 0, 0, 3, 2)),), "task 0 .id 7.: result.0.: has the class 'bird'"),
        ((_task(_square(None, 0, 0, 3, 2)),), "task 0 .id 7.: result.0.: has no class"),
        ((_task(_square("cat", 0, 0, 3, 2) | {"image_rotation": 90}),), "rotate the picture file instead"),
        ((_task(_square("cat", 0, 0, 3, 2) | {"original_width": "x"}),), "original_width is 'x'"),
        ((_task(), _task(id=8)), "task 1 .id 8.: annotates the picture a.png, as task 0 .id 7. does"),
        ((), "annotates no picture"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, tasks: Any, found: str) -> None:
    with pytest.raises(UserError, match=rf"^[^\n]*tasks.json: [^\n]*{found}[^\n]*$") as caught:
        _open(tmp_path, *tasks)
    assert type(caught.value) is UserError


def test_answers_about_a_region_are_no_regions_of_the_short_export(tmp_path: Path) -> None:
    region = _square("cat", 1, 2, 5, 6)["value"] | {"original_width": SIZE[1], "original_height": SIZE[0]}
    answer = {key: value for key, value in region.items() if key != "polygonlabels"} | {"choices": ["blurred"]}
    reader = _open(tmp_path, {"id": 1, "image": "a.png", "label": [region], "state": [answer]})
    check_objects(reader.read("a.png"), (box(1, 2, 5, 6), 1))
