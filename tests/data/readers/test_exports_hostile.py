"""Whatever bytes or values a file of an annotation tool holds, reader and truth end in one line, or find the same."""

import base64
import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.export_folder import export_dataset, write_picture

from rsis.config.datasets import ExportDataset
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import relabel

_FILES = {
    "yolo": "a.txt",
    "labelme": "a.json",
    "cvat": "a.xml",
    "labelstudio": "a.json",
    "via": "a.json",
    "geojson": "a.geojson",
    "imagej": "a.roi",
}
_ONE_FILE = {"cvat", "labelstudio", "via"}
_few = settings(
    deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_numbers = st.one_of(
    st.integers(-5, 20), st.floats(), st.sampled_from([10**400, -(2**63), 1e300, True, None, "7", "x", "1e999", "nan"])
)
_values = st.recursive(
    st.one_of(_numbers, st.text(string.printable, max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)
_points = st.one_of(
    st.lists(st.lists(_numbers, min_size=1, max_size=3), max_size=5),
    st.lists(st.lists(_numbers, min_size=2, max_size=2), min_size=2, max_size=2),
    st.just([[1, 1], [3, 1], [3, 4]]),
)


def _read(folder: Path, kind: str, content: bytes) -> None:
    write_picture(folder / "a.png")
    (folder / _FILES[kind]).write_bytes(content)
    where = _FILES[kind] if kind in _ONE_FILE else "."
    dataset = export_dataset(kind, where, ".", classes=("cell",), class_key="kind" if kind == "via" else None)
    found = [_maps_or_message(dataset, folder, read) for read in (_maps_of_reader, _maps_of_truth)]
    messages = [item for item in found if isinstance(item, str)]
    assert all(b"\n" not in message.encode() for message in messages)  # lines that can be printed
    assert messages or found[0] == found[1]


Maps = dict[str, list[list[int]]]


def _maps_or_message(dataset: ExportDataset, folder: Path, read: Callable[[ExportDataset, Path], Maps]) -> Maps | str:
    try:
        return read(dataset, folder)
    except UserError as error:
        return str(error)


def _maps_of_reader(dataset: ExportDataset, folder: Path) -> Maps:
    reader = open_split(dataset, folder, "train")
    maps = {}
    for image_id in reader.image_ids:
        sample = reader.read(image_id)
        assert sample.instance_map.max(initial=0) == len(sample.class_ids)
        maps[image_id] = sample.instance_map.tolist()
    return maps


def _maps_of_truth(dataset: ExportDataset, folder: Path) -> Maps:
    truth = load_ground_truth(dataset, folder, "train")
    return {image_id: relabel(truth.instance_map(image_id)).tolist() for image_id in truth.image_ids}


@pytest.mark.parametrize("kind", _FILES)
@_few
@given(content=st.one_of(st.binary(max_size=80), st.text(max_size=60).map(str.encode)))
def test_any_bytes(tmp_path: Path, kind: str, content: bytes) -> None:
    _read(tmp_path, kind, content)


def _labelme(value: Any, points: Any, key: str) -> Any:
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    shape = {"label": "cell", "points": points, "shape_type": "polygon", "mask": png, key: value}
    return {"shapes": [shape, shape], "imagePath": "a.png", key: value}


def _labelstudio(value: Any, points: Any, key: str) -> Any:
    inside = {"points": points, "format": "rle", "rle": [0, 0, 3, 0, 56, 0], "x": 5, "y": 5, "radiusX": 9, key: value}
    item = {
        "type": "polygonlabels",
        "id": "1",
        "value": inside,
        "original_width": 16,
        "original_height": 12,
        key: value,
    }
    return [{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [item, value, item], key: value}]}]


def _via(value: Any, points: Any, key: str) -> Any:
    shape = {"name": "polygon", "all_points_x": points, "all_points_y": points, key: value}
    return {
        "a": {"filename": "a.png", "regions": [{"shape_attributes": shape, "region_attributes": value}], key: value}
    }


def _geojson(value: Any, points: Any, key: str) -> Any:
    geometry = {"type": "Polygon", "coordinates": [points, points], key: value}
    return [{"type": "Feature", "geometry": geometry, "properties": value}, {"type": "Feature", key: value}]


_WRITE = {"labelme": _labelme, "labelstudio": _labelstudio, "via": _via, "geojson": _geojson}
_KEYS = [
    *("label", "points", "shape_type", "group_id", "mask", "imageHeight", "imagePath", "imageData", "shapes"),
    *("type", "value", "id", "rle", "x", "rotation", "original_width", "image_rotation", "result", "was_cancelled"),
    *("name", "all_points_x", "regions", "filename", "coordinates", "geometry", "cx", "polygonlabels"),
]


@pytest.mark.parametrize("name", ["polygon", "circle", "mask", "brush", "ellipse", "rectangle"])
@pytest.mark.parametrize("kind", _WRITE)
@settings(_few, max_examples=25)
@given(value=_values, points=_points, key=st.sampled_from(_KEYS))
def test_any_values(tmp_path: Path, kind: str, name: str, value: Any, points: Any, key: str) -> None:
    text = json.dumps(_WRITE[kind](value, points, key)).replace("polygon", name)
    _read(tmp_path, kind, text.encode())


@_few
@given(
    tag=st.sampled_from(["polygon", "mask", "ellipse", "box"]),
    keys=st.dictionaries(
        st.sampled_from(["points", "rle", "left", "top", "width", "height", "cx", "cy", "rx", "ry", "group_id"]),
        st.one_of(
            st.sampled_from(["nan", "-1", "1e999", "3", "1,2;3,4;5,6", "9" * 5000, "2,2,2", ""]),
            st.text(string.ascii_letters + string.digits + ",;.- ", max_size=6),
        ),
    ),
)
def test_any_attributes_of_xml(tmp_path: Path, tag: str, keys: dict[str, str]) -> None:
    written = " ".join(f'{key}="{value}"' for key, value in keys.items())
    text = f'<annotations><image name="a.png"><{tag} {written}/></image></annotations>'
    _read(tmp_path, "cvat", text.encode())


@_few
@given(lines=st.lists(st.lists(_numbers, max_size=9), max_size=4))
def test_any_numbers_of_text(tmp_path: Path, lines: list[list[Any]]) -> None:
    _read(tmp_path, "yolo", "\n".join(" ".join(map(str, line)) for line in lines).encode())


@_few
@given(kind=st.integers(0, 12), head=st.binary(min_size=58, max_size=58), body=st.binary(max_size=64))
def test_any_roi(tmp_path: Path, kind: int, head: bytes, body: bytes) -> None:
    _read(tmp_path, "imagej", b"Iout\x00\xe3" + bytes([kind]) + head[1:] + body)


@pytest.mark.parametrize("kind", sorted(_FILES))
def test_file_that_is_not_there(tmp_path: Path, kind: str) -> None:
    write_picture(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"^[^\n]*nowhere: no such (file|folder); [^\n]*$"):
        open_split(export_dataset(kind, "nowhere", "."), tmp_path, "train")
