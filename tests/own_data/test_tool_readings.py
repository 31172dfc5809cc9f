"""Training and scoring read the same in files of annotation tools in which some values were changed at random."""

import base64
import copy
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.export_folder import SIZE, export_dataset, write_picture

from rsis.config.datasets import ExportDataset
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.open import load_ground_truth

CHANGED = 80  # documents of each format
HEIGHT, WIDTH = SIZE
SIZES = {"original_width": WIDTH, "original_height": HEIGHT}
VALUES = [
    *(None, True, 0, -1, 3.5, 10.5, 1e300, 10**30, float("nan"), "", "cat", " dog", "bird", "3.0", "a\nb"),
    *([], {}, [[1, 2]], {"a": 1}, "polygon", "circle", "ellipse", "../images/a.png", WIDTH, str(HEIGHT)),
]


def _png() -> str:
    file = io.BytesIO()
    Image.fromarray(np.array([[0, 0, 255, 255, 9], [0, 255, 255, 255, 0]], np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _shape(label: str, points: Any, kind: str, group: Any = None, **keys: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "group_id": group, **keys}


LABELME = {
    "imagePath": "a.png",
    "imageHeight": HEIGHT,
    "imageWidth": WIDTH,
    "shapes": [
        _shape("cat", [[1, 1], [5, 1], [5, 5], [1, 5]], "polygon"),
        _shape("cat", [[6.3, 1], [9, 5]], "rectangle", 1),
        _shape("cat", [[12, 4], [14, 4]], "circle", 1),
        _shape("dog", [[2, 7], [6, 8]], "mask", mask=_png()),
        _shape("dog", [[2, 7], [6, 10]], "line"),
    ],
}


def _region(kind: str, label: str, **value: Any) -> dict[str, Any]:
    return {"id": kind, "type": kind, "image_rotation": 0, "value": {**value, kind: [label]}, **SIZES}


LABELSTUDIO = [
    {
        "id": 1,
        "data": {"image": "/data/upload/1/1a2b3c4d-a.png"},
        "annotations": [
            {
                "was_cancelled": False,
                "result": [
                    _region("polygonlabels", "cat", points=[[10, 10], [40, 10], [40, 40]]),
                    _region("ellipselabels", "dog", x=60, y=60, radiusX=20, radiusY=10, rotation=30),
                    {"id": "r4", "type": "polygon", "value": {"points": [[50, 10], [90, 10], [90, 40]]}, **SIZES},
                    {"id": "r4", "type": "labels", "value": {"labels": ["dog"]}},
                    {"id": "r5", "type": "choices", "value": {"choices": ["x"]}},
                ],
            }
        ],
    }
]


def _of_via(label: Any, **shape: Any) -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": {"kind": label}}


VIA = {
    "a": {
        "filename": "a.png",
        "regions": [
            _of_via("cat", name="polygon", all_points_x=[1, 5, 5], all_points_y=[1, 1, 5]),
            _of_via({"dog": True}, name="rect", x=7, y=1, width=3, height=3),
            _of_via("dog", name="circle", cx=5, cy=8, r=2.5),
            _of_via("dog", name="ellipse", cx=11, cy=8, rx=2.5, ry=1.5, theta=0.5),
        ],
    }
}


def _feature(label: Any, kind: str, coordinates: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": {"classification": label}}


GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        _feature({"name": "cat"}, "Polygon", [[[1, 1], [8, 1], [8, 8], [1, 8], [1, 1]], [[3, 3], [5, 3], [5, 5]]]),
        _feature("dog", "MultiPolygon", [[[[9, 1], [12, 1], [12, 4]]], [[[9, 6], [12, 6], [12, 9]]]]),
    ],
}
FORMATS = {
    "labelme": (LABELME, "annotations/a.json", "annotations"),
    "labelstudio": (LABELSTUDIO, "tasks.json", "tasks.json"),
    "via": (VIA, "via.json", "via.json"),
    "geojson": (GEOJSON, "annotations/a.geojson", "annotations"),
}


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list and object in a document, with each key of it."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield content, key
        yield from _places(value)


def _changed(content: Any, choose: random.Random) -> Any:
    content = copy.deepcopy(content)
    for _ in range(choose.choice((1, 1, 2))):
        places = list(_places(content))
        if not places:
            break
        holder, key = choose.choice(places)
        if choose.random() < 0.2:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(choose.choice(VALUES))
    return content


Masks = list[tuple[bytes, str]]


def _masks(instance_map: np.ndarray, names: dict[int, str]) -> Masks:
    numbers = [int(number) for number in np.unique(instance_map) if number]
    return sorted(((instance_map == number).tobytes(), names[number]) for number in numbers)


def _of_training(dataset: ExportDataset, root: Path) -> dict[str, Masks]:
    reader = open_split(dataset, root, "train")
    samples = [reader.read(image_id) for image_id in reader.image_ids]
    return {
        sample.image_id: _masks(
            sample.instance_map, {k: reader.class_names[class_id - 1] for k, class_id in enumerate(sample.class_ids, 1)}
        )
        for sample in samples
    }


def _of_scoring(dataset: ExportDataset, root: Path) -> dict[str, Masks]:
    truth = load_ground_truth(dataset, root, "train")
    found = {}
    for image_id in truth.image_ids:
        names = {k: truth.class_names[item.class_id - 1] for k, item in enumerate(truth.annotations(image_id), 1)}
        found[image_id] = _masks(truth.instance_map(image_id), names)
    return found


@pytest.mark.parametrize("kind", FORMATS)
def test_both_read_the_same_in_changed_files(tmp_path: Path, kind: str) -> None:
    """Where one of them refuses a file there is nothing to compare; of half of the files, neither does."""
    content, file, annotations = FORMATS[kind]
    write_picture(tmp_path / "images/a.png")
    (tmp_path / file).parent.mkdir(exist_ok=True)
    dataset = export_dataset(kind, annotations, class_key="kind" if kind == "via" else None)
    choose = random.Random(0)
    messages = []
    for document in (content, *(_changed(content, choose) for _ in range(CHANGED))):
        (tmp_path / file).write_text(json.dumps(document))
        try:
            training, scoring = _of_training(dataset, tmp_path), _of_scoring(dataset, tmp_path)
        except UserError as error:
            messages.append(str(error))
        else:
            assert training == scoring, document
    assert len(messages) < CHANGED / 2
    assert "\n" not in "".join(messages)
