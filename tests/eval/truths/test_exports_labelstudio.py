"""Tests of the truth of Label Studio's JSON exports."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.export_truth import around, block, draw_pictures, expected, filled, load, objects_of

from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.machine.pool import map_in_processes

SIZE = (20, 40)
SQUARE = [[10, 10], [30, 10], [30, 50], [10, 50]]  # percent: columns 4 to 11, rows 2 to 9
BLOCK = block((2, 10), (4, 12), SIZE)
OTHER = [[50, 0], [100, 0], [100, 25], [50, 25]]
SECOND = block((0, 5), (20, 40), SIZE)


def region(kind: str = "polygonlabels", label: Any = "cat", size: tuple[Any, Any] = SIZE, **value: Any) -> dict:
    labels = {kind: [label]} if label is not None else {}
    sizes = {"original_height": size[0], "original_width": size[1], "image_rotation": 0}
    return {"id": "r1", "type": kind, "from_name": "label", **sizes, "value": {**value, **labels}}


def task(*regions: Any, image: str = "/data/upload/1/1a2b3c4d-a.png", **keys: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"image": image}, "annotations": [{"result": list(regions)}], **keys}


def labelstudio(root: Path, *tasks: Any, **keys: Any) -> GroundTruth:
    (root / "export.json").write_text(json.dumps(list(tasks)))
    return load(root, "labelstudio", "export.json", **{"classes": ("cat", "dog"), **keys})


def brush(mask: np.ndarray, lengths: tuple[int, ...] = (3, 4, 8, 16), literal: bool = False) -> list[int]:
    """Return Label Studio's code of a mask, whose runs have the shortest of four lengths, or are written out."""
    rgba = np.repeat(np.where(mask, 255, 0)[..., None], 4, axis=2).astype(np.uint8)
    rgba[..., :3] = 77
    flat = rgba.ravel().tolist()
    bits = f"{len(flat):032b}{7:05b}" + "".join(f"{length - 1:04b}" for length in lengths)
    runs = [flat[k : k + 5] for k in range(0, len(flat), 5)] if literal else []
    for _, group in itertools.groupby(() if literal else flat):
        run = list(group)
        runs += [run[k : k + 2 ** lengths[-1]] for k in range(0, len(run), 2 ** lengths[-1])]
    for run in runs:
        which = next(k for k, length in enumerate(lengths) if len(run) <= 2**length)
        bits += f"{int(not literal)}{which:02b}{len(run) - 1:0{lengths[which]}b}"
        bits += "".join(f"{value:08b}" for value in (run if literal else run[:1]))
    bits += "0" * (-len(bits) % 8)
    return [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]


def test_every_kind_of_region(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", "b.png", "c.png", size=SIZE)
    spots = np.zeros(SIZE, bool)
    spots[3, 5:9] = spots[19, 39] = spots[0, 0] = True
    first = task(
        region("polygonlabels", "dog", points=SQUARE),
        region("brushlabels", format="rle", rle=brush(spots)),
        region("brushlabels", format="rle", rle=brush(spots, literal=True)),
        region("ellipselabels", x=50, y=45, radiusX=20, radiusY=12.5, rotation=30),
        region("rectanglelabels", x=1, y=1, width=20, height=20, rotation=0),
        region("keypointlabels", x=1, y=1, width=0.5),
        {"id": "c", "type": "choices", "value": {"choices": ["blurred"]}, "original_width": 1, "original_height": 1},
        {"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "right"},
        {"id": "l", "type": "labels", "value": {"labels": ["cat"]}},
        region(points=OTHER),
    )
    truth = labelstudio(tmp_path, first, task(image="/data/local-files/?d=my%20files/b.png", id=8))
    assert truth.image_ids == ("a.png", "b.png")
    assert truth.annotations("b.png") == ()
    assert objects_of(truth, "a.png") == expected(
        ("dog", BLOCK),
        ("cat", spots),
        ("cat", spots),
        ("cat", filled(around(20, 9, 8, 2.5, 30), SIZE)),
        ("cat", SECOND),
    )
    elsewhere = list(map_in_processes(truth.annotations, truth.image_ids, 2))
    assert elsewhere == [truth.annotations(image_id) for image_id in truth.image_ids]


def test_labels_that_stand_in_an_item_of_their_own(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    pairs = []
    for name, label, points in (("x", "dog", SQUARE), ("y", "cat", OTHER)):
        pairs.append({**region("polygon", None, points=points), "id": name})
        pairs.append({**region("labels", label, points=points), "id": name})
    pairs.append({**region("labels", "cow", points=SQUARE), "id": "no region"})
    assert objects_of(labelstudio(tmp_path, task(*pairs)), "a.png") == expected(("dog", BLOCK), ("cat", SECOND))


def test_which_annotation_of_a_task_counts(tmp_path: Path) -> None:
    draw_pictures(tmp_path, *(f"{name}.png" for name in "abcd"), size=SIZE)
    one, other = [region(points=SQUARE)], [region(points=OTHER)]
    tasks = [
        task(image="a.png", annotations=[{"result": one, "was_cancelled": True}, {"result": other}]),
        task(image="b.png", annotations=[{"result": one}, {"result": other, "ground_truth": True}]),
        task(image="c.png", annotations=[{"result": one, "was_cancelled": True}]),
        task(image="d.png", annotations=[], predictions=[{"result": one}]),
        {"id": 9, "data": {"image": "d.png"}, "completions": [{"result": one}]},
    ]
    truth = labelstudio(tmp_path, *tasks)
    assert truth.image_ids == ("a.png", "b.png", "d.png")
    assert [objects_of(truth, name) for name in truth.image_ids] == [
        expected(("cat", SECOND)),
        expected(("cat", SECOND)),
        expected(("cat", BLOCK)),
    ]


def test_json_min(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", "b.png", size=SIZE)
    sizes = {"original_width": 40, "original_height": 20}
    shapes = [
        {"points": SQUARE, "closed": True, "polygonlabels": ["dog"], **sizes},
        {"x": 50, "y": 45, "radiusX": 20, "radiusY": 12.5, "rotation": 0, "ellipselabels": ["cat"], **sizes},
        {"x": 1, "y": 1, "width": 9, "height": 9, "rectanglelabels": ["cat"], **sizes},
        {"x": 1, "y": 1, "width": 9, "keypointlabels": ["cat"], **sizes},
    ]
    brushes = [{"format": "rle", "rle": brush(SECOND), "brushlabels": ["cat"], **sizes}]
    row = {"image": "a.png", "id": 3, "label": shapes, "brush": brushes, "choice": "good", "tags": ["x"]}
    truth = labelstudio(tmp_path, row, {"image": "b.png", "id": 4, "annotation_id": 9})
    assert truth.annotations("b.png") == ()
    assert objects_of(truth, "a.png") == expected(
        ("dog", BLOCK), ("cat", filled(around(20, 9, 8, 2.5), SIZE)), ("cat", SECOND)
    )


def test_the_only_picture_among_the_data_of_a_task(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    data = {"photo": "https://files.org/x/a.png", "text": "a cat", "number": 3}
    assert labelstudio(tmp_path, task(data=data)).image_ids == ("a.png",)
    with pytest.raises(UserError, match=r"task 7: has 2 names of pictures in data; expected one; give it the key"):
        labelstudio(tmp_path, task(data={**data, "mask": "b.png"}))


@pytest.mark.parametrize(
    ("annotated", "sizes"), [("upright", (40, 20)), ("stored", (20, 40)), ("stored", (None, None))]
)
def test_percent_are_of_the_frame_that_the_size_tells(tmp_path: Path, annotated: str, sizes: tuple[Any, Any]) -> None:
    draw_pictures(tmp_path, "a.jpg", size=(20, 40), orientation=6)  # shown turned to the right, as 40 x 20 pixels
    quarter = [[0, 0], [50, 0], [50, 50], [0, 50]]
    truth = labelstudio(tmp_path, task(region(points=quarter, size=sizes), image="a.jpg"), annotated=annotated)
    place = block((0, 20), (0, 10), (40, 20)) if sizes == (40, 20) else block((0, 20), (10, 20), (40, 20))
    assert objects_of(truth, "a.jpg") == expected(("cat", place))


@pytest.mark.parametrize(
    "wrong",
    [
        region(points=[[10, 10], [30, 10]]),
        region(points=[[10, 10], [30, 10], [30, None]]),
        region(points=[[10, 10], [30, 10], [30, 900]]),
        region(),
        region("ellipselabels", x=50, y=50, radiusX=20),
        region("ellipselabels", x=50, y=50, radiusX=20, radiusY=float("nan")),
        region("brushlabels", format="rle", rle=brush(np.ones((20, 39), bool))),
        region("brushlabels", format="rle", rle=brush(BLOCK)[:-3]),
        region("brushlabels", format="rle", rle=[]),
        region("brushlabels", format="rle", rle=[1, 300]),
        region("brushlabels", format="rle", rle="AAAA"),
        region("brushlabels", format="rle", rle=10**400),
        region("brushlabels", format="rle", rle=[255] * 40),
        region("brushlabels", format="png", rle=brush(BLOCK)),
        region("brushlabels", format="rle", rle=brush(np.zeros(SIZE, bool))),
    ],
)
def test_what_cannot_be_drawn_costs_only_its_object(tmp_path: Path, wrong: dict[str, Any]) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    truth = labelstudio(tmp_path, task(wrong, region(label="dog", points=OTHER)))
    assert objects_of(truth, "a.png") == expected(("dog", SECOND))


BOX = region("rectanglelabels", x=1, y=1, width=9, height=9)
GOOD = region(points=SQUARE)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([task(BOX, BOX)], r"2 of 2 annotations are boxes without outlines"),
        ([3], r"task \[0\]: it is 3, but"),
        ([{"id": 7, "annotations": []}], r"task 7: has 0 names of pictures in data; expected one"),
        ([task(data={"text": "a"})], r"task 7: has 0 names of pictures in data; expected one"),
        ([task(annotations=[12, 13])], r"task 7: annotations\[0\] is 12, but"),
        ([task("no region")], r"task 7: annotations\[0\]\.result\[0\] is 'no region', but"),
        ([task(GOOD, image="b.png")], r"names 'b\.png'; found no such picture in"),
        ([task(GOOD), task(GOOD, id=8, image="a.png")], r"lists the picture a\.png twice"),
        (
            [task({**GOOD, "image_rotation": 90})],
            r"task 7, result\[0\], has image_rotation 90; expected 0; rotate",
        ),
        (
            [task(GOOD, region(label="cow", points=OTHER))],
            r"task 7, result\[1\], is of class 'cow'; expected",
        ),
        ([task(region("keypointlabels", "cow", x=1, y=1))], r"task 7, result\[0\], is of class 'cow'"),
        (
            [task(region("polygon", None, points=SQUARE))],
            r"task 7, result\[0\], has no class; expected one",
        ),
        (
            [task(region(label={}, points=SQUARE))],
            r"task 7, result\[0\], has the label a dict; expected the name",
        ),
    ],
)
def test_faults_of_the_file_are_named_in_one_line(tmp_path: Path, tasks: list[Any], message: str) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    with pytest.raises(UserError, match=message) as caught:
        labelstudio(tmp_path, *tasks)
    assert str(caught.value).startswith(str(tmp_path / "export.json"))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_export_and_sizes_that_are_not_the_pictures(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    for text, message in (('{"a": 1}', r"export\.json: is no list of tasks"), ("[", r"export\.json: not valid JSON")):
        (tmp_path / "export.json").write_text(text)
        with pytest.raises(UserError, match=message):
            load(tmp_path, "labelstudio", "export.json")
    truth = labelstudio(tmp_path, task(region(points=SQUARE, size=(21, 40))))
    with pytest.raises(UserError, match=r"export\.json: says that a\.png has \(21, 40\) pixels"):
        truth.annotations("a.png")


def test_rows_of_json_min(tmp_path: Path) -> None:
    """The first row of a task counts; a row of another key than image is read; answers about a region are none."""
    draw_pictures(tmp_path, "a.png", size=SIZE)
    sizes = {"original_width": 40, "original_height": 20}
    dog = {"points": SQUARE, "polygonlabels": ["dog"], **sizes}
    answer = {"points": SQUARE, "choices": ["blurred"], **sizes}
    rows = [{"photo": "a.png", "id": 3, "label": [dog], "state": [answer]}, {"photo": "a.png", "id": 3, "label": []}]
    truth = labelstudio(tmp_path, *rows, {"photo": "gone.png", "id": 4})
    assert truth.image_ids == ("a.png",)
    assert objects_of(truth, "a.png") == expected(("dog", BLOCK))
