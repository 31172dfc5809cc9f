"""Folders as annotation tools save or export them; each function returns what was drawn, by the picture's name.

A function writes pictures 0 to 5 and returns class and mask of each object by the stem of the picture's file. Layouts
with folders for the splits have pictures 0 to 2 in train, 3 in val, 4 and 5 in test.
"""

import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.tool_scene import CLASSES, SIZE, Objects, objects_of, outlines, write_picture

NUMBERS = range(6)
SPLITS = {"train": (0, 1, 2), "val": (3,), "test": (4, 5)}
Drawn = dict[str, Objects]
_HEIGHT, _WIDTH = SIZE


def section(annotations: str, images: str) -> dict[str, str]:
    """Return the section of a split that `rsis init` writes, without its share."""
    return {"annotations": annotations, "images": images}


def _each(folder: Path, template: str = "p{}.png", class_name: str | None = None) -> Iterator[tuple[int, str, Objects]]:
    """Write the pictures; yield number, stem and objects of each."""
    for number in NUMBERS:
        path = folder / template.format(number)
        yield number, write_picture(path, number), objects_of(number, class_name)


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _yolo_lines(number: int) -> str:
    lines = []
    for item in outlines(number):
        points = (f"{x / _WIDTH:.8f} {y / _HEIGHT:.8f}" for x, y in item.corners)
        lines.append(f"{CLASSES.index(item.class_name)} {' '.join(points)}\n")
    return "".join(lines)


def _yolo_splits(folder: Path, images: str, labels: str) -> Drawn:
    drawn = {}
    for split, numbers in SPLITS.items():
        name = "valid" if split == "val" else split
        for number in numbers:
            stem = write_picture(folder / images.format(name) / f"p{number}.jpg.png", number)
            _text(folder / labels.format(name) / f"{stem}.txt", _yolo_lines(number))
            drawn[stem] = objects_of(number)
    return drawn


def yolo_ultralytics(folder: Path) -> Drawn:
    names = "".join(f"  {number}: {name}\n" for number, name in enumerate(CLASSES))
    splits = "train: images/train\nval: images/valid\ntest: images/test\n"
    _text(folder / "data.yaml", f"path: ../datasets/cells\n{splits}names:\n{names}")
    return _yolo_splits(folder, "images/{}", "labels/{}")


def yolo_roboflow(folder: Path) -> Drawn:
    splits = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    _text(folder / "data.yaml", f"{splits}\nnc: 2\nnames: ['{CLASSES[0]}', '{CLASSES[1]}']\n")
    return _yolo_splits(folder, "{}/images", "{}/labels")


def yolo_list(folder: Path) -> Drawn:
    """As Label Studio exports it: no splits, the classes in a list."""
    _text(folder / "classes.txt", "\n".join(CLASSES))
    drawn = {}
    for number, stem, objects in _each(folder / "images"):
        _text(folder / f"labels/{stem}.txt", _yolo_lines(number))
        drawn[stem] = objects
    return drawn


def _labelme_json(number: int, picture: str, **more: Any) -> str:
    shapes: list[dict[str, Any]] = [
        {"label": item.class_name, "points": item.corners, "group_id": None, "shape_type": "polygon", "flags": {}}
        for item in outlines(number)
    ]
    size = {"imageHeight": _HEIGHT, "imageWidth": _WIDTH}
    return json.dumps(
        {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": picture, "imageData": None, **size, **more}
    )


def labelme(folder: Path) -> Drawn:
    drawn = {}
    for number, stem, objects in _each(folder):
        _text(folder / f"{stem}.json", _labelme_json(number, f"{stem}.png"))
        drawn[stem] = objects
    return drawn


def labelme_apart(folder: Path) -> Drawn:
    drawn = {}
    for split, numbers in SPLITS.items():
        for number in numbers:
            stem = write_picture(folder / f"pictures/{split}/p{number}.png", number)
            text = _labelme_json(number, f"..\\..\\pictures\\{split}\\p{number}.png")
            _text(folder / f"json/{split}/{stem}.json", text)
            drawn[stem] = objects_of(number)
    return drawn


def cvat(folder: Path) -> Drawn:
    parts = []
    drawn = {}
    for number, stem, objects in _each(folder / "images"):
        shapes = [
            f'<polygon label="{item.class_name}" source="manual" occluded="0" points="'
            + ";".join(f"{x:.2f},{y:.2f}" for x, y in item.corners)
            + '" z_order="0"></polygon>'
            for item in outlines(number)
        ]
        head = f'<image id="{number}" name="{stem}.png" width="{_WIDTH}" height="{_HEIGHT}">'
        parts.append(f"{head}{''.join(shapes)}<tag label='good' source='manual'></tag></image>")
        drawn[stem] = objects
    head = '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task/></meta>'
    _text(folder / "annotations.xml", f"{head}{''.join(parts)}</annotations>")
    return drawn


def labelstudio(folder: Path) -> Drawn:
    tasks = []
    drawn = {}
    for number, stem, objects in _each(folder / "pictures"):
        result = [
            {
                **{"id": f"r{k}", "type": "polygonlabels", "from_name": "label", "to_name": "image"},
                **{"original_width": _WIDTH, "original_height": _HEIGHT, "image_rotation": 0},
                "value": {
                    "points": [[100 * x / _WIDTH, 100 * y / _HEIGHT] for x, y in item.corners],
                    "closed": True,
                    "polygonlabels": [item.class_name],
                },
            }
            for k, item in enumerate(outlines(number))
        ]
        annotation = {"id": number, "was_cancelled": False, "ground_truth": False, "result": result}
        data = {"image": f"/data/upload/3/1a2b3c4d-{stem}.png"}
        tasks.append({"id": number, "data": data, "annotations": [annotation], "predictions": []})
        drawn[stem] = objects
    _text(folder / "project-3-at-2024-05-01.json", json.dumps(tasks))
    return drawn


def _via_entries(folder: Path, *, numbered: bool) -> tuple[dict[str, Any], Drawn]:
    entries: dict[str, Any] = {}
    drawn = {}
    for number, stem, objects in _each(folder):
        regions = [
            {
                "shape_attributes": {
                    "name": "polygon",
                    "all_points_x": [x for x, _ in item.corners],
                    "all_points_y": [y for _, y in item.corners],
                },
                "region_attributes": {"note": "round" if k else "", "type": item.class_name},
            }
            for k, item in enumerate(outlines(number))
        ]
        size = (folder / f"{stem}.png").stat().st_size
        whole: Any = {str(k): region for k, region in enumerate(regions)} if numbered else regions
        entries[f"{stem}.png{size}"] = {"filename": f"{stem}.png", "size": size, "regions": whole}
        drawn[stem] = objects
    return entries, drawn


def via(folder: Path) -> Drawn:
    entries, drawn = _via_entries(folder, numbered=False)
    project = {"_via_settings": {}, "_via_img_metadata": entries, "_via_attributes": {"region": {}, "file": {}}}
    _text(folder / "via_project.json", json.dumps(project))
    return drawn


def via_1(folder: Path) -> Drawn:
    entries, drawn = _via_entries(folder, numbered=True)
    _text(folder / "via_region_data.json", json.dumps(entries))
    return drawn


def geojson(folder: Path) -> Drawn:
    drawn = {}
    for number, stem, objects in _each(folder / "images"):
        features = [
            {
                "type": "Feature",
                "id": f"{number}-{k}",
                "geometry": {"type": "Polygon", "coordinates": [[*item.corners, item.corners[0]]]},
                "properties": {"objectType": "annotation", "classification": {"name": item.class_name}},
            }
            for k, item in enumerate(outlines(number))
        ]
        _text(folder / f"annotations/{stem}.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
        drawn[stem] = objects
    return drawn


def roi_bytes(corners: tuple[tuple[int, int], ...]) -> bytes:
    """Return a polygon as a ROI file of ImageJ: a header of 64 bytes, then the corners relative to the box."""
    x, y = zip(*corners, strict=True)
    box = (min(y), min(x), max(y), max(x))
    head = struct.pack(">4shBx4hh", b"Iout", 227, 0, *box, len(corners)).ljust(64, b"\0")
    return head + struct.pack(f">{2 * len(x)}h", *(v - min(x) for v in x), *(v - min(y) for v in y))


def imagej(folder: Path) -> Drawn:
    drawn = {}
    for number, stem, objects in _each(folder, "p{}.tif", "object"):
        with zipfile.ZipFile(folder / f"{stem}_RoiSet.zip", "w") as archive:
            for k, item in enumerate(outlines(number)):
                archive.writestr(f"{k:04d}-{number:04d}.roi", roi_bytes(item.corners))
        drawn[stem] = objects
    return drawn
