"""Tests of the truth of ROI files of ImageJ, whose bytes are written here by hand."""

import struct
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.export_truth import around, block, draw_pictures, expected, filled, load, objects_of

from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth
from rsis.eval.truths.exports import imagej as module

SIZE = (20, 24)
POLYGON, RECT, OVAL, LINE, FREELINE, POLYLINE, NO_ROI, FREEHAND, TRACED, ANGLE, POINT = range(11)
SQUARE = [(1, 1), (4, 1), (4, 4), (1, 4)]
BLOCK = block((1, 4), (1, 4), SIZE)
Points = Sequence[tuple[float, float]]


def roi(
    kind: int = POLYGON,
    points: Points | None = None,
    bounds: tuple[int, int, int, int] = (1, 1, 4, 4),
    *,
    exact: tuple[float, float, float, float] | None = None,
    fractions: Points | None = None,
    paths: list[float] | None = None,
    subtype: int = 0,
    version: int = 227,
    position: int = 0,
) -> bytes:
    """Return a ROI file; bounds are top, left, bottom, right, and `exact` is left, top, width, height."""
    options = 128 if exact is not None or fractions is not None else 0
    points = points or []
    header = bytearray(64)
    struct.pack_into(">4shB", header, 0, b"Iout", version, kind)
    struct.pack_into(">4hH", header, 8, *bounds, len(points))
    struct.pack_into(">4f", header, 18, *(exact or (0, 0, 0, 0)))
    struct.pack_into(">i", header, 36, len(paths or ()))
    struct.pack_into(">2h", header, 48, subtype, options)
    struct.pack_into(">i", header, 56, position)
    tail = b""
    for axis, first in ((0, bounds[1]), (1, bounds[0])):
        tail += struct.pack(f">{len(points)}h", *(int(point[axis]) - first for point in points))
    for axis in (0, 1):
        tail += struct.pack(f">{len(fractions or ())}f", *(point[axis] for point in fractions or ()))
    return bytes(header) + tail + struct.pack(f">{len(paths or ())}f", *(paths or ())) + b"header 2"


def path_of(*points: tuple[float, float]) -> list[float]:
    """Return the numbers of a closed path."""
    return [number for k, point in enumerate(points) for number in (min(k, 1), *point)] + [4]


def write(root: Path, name: str, *rois: bytes, extra: dict[str, bytes] | None = None) -> Path:
    path = root / "annotations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".roi":
        path.write_bytes(rois[0])
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(rois):
            archive.writestr(f"{90 - number:04}.roi", content)
        for entry, content in (extra or {}).items():
            archive.writestr(entry, content)
    return path


def imagej(root: Path, **keys: Any) -> GroundTruth:
    return load(root, "imagej", **{"classes": ("cell",), **keys})


def test_every_kind_of_roi(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.tif", "b.tif", size=SIZE)
    fine = [(10.5, 2.25), (16.75, 3.5), (12.25, 9.125)]
    outer = path_of((2, 10), (12, 10), (12, 18), (2, 18))
    hole, island = path_of((4, 12), (4, 16), (9, 16), (9, 12)), path_of((5, 13), (7, 13), (7, 15), (5, 15))
    write(
        tmp_path,
        "a.zip",
        roi(POLYGON, SQUARE),
        roi(FREEHAND, SQUARE, version=218, position=3),
        roi(TRACED, [(20, 15), (23, 15), (23, 19), (20, 19)], (15, 20, 19, 23)),
        roi(POLYGON, SQUARE[:3], fractions=fine),
        roi(POLYGON, SQUARE, fractions=fine, version=221),  # too old for fractions
        roi(RECT, bounds=(2, 6, 9, 9)),
        roi(RECT, bounds=(0, 0, 9, 9), exact=(6, 2, 3, 7)),
        roi(RECT, bounds=(2, 6, 9, 9), exact=(0, 0, 3, 3), version=222),  # too old for these
        roi(OVAL, bounds=(5, 4, 14, 17)),
        roi(OVAL, bounds=(5, 4, 14, 17), exact=(4.5, 5.25, 12, 9.5)),
        roi(RECT, bounds=(10, 2, 18, 12), paths=[*outer, *hole, *island, *path_of((1, 1), (2, 2))]),
        *(roi(kind, SQUARE) for kind in (LINE, FREELINE, POLYLINE, NO_ROI, ANGLE, POINT)),
        roi(RECT, subtype=1),  # a text
        roi(RECT, subtype=4),  # a picture
    )
    truth = imagej(tmp_path)
    assert truth.image_ids == ("a.tif",)  # b.tif is not annotated yet
    nested = block((10, 18), (2, 12), SIZE) & ~block((12, 16), (4, 9), SIZE) | block((13, 15), (5, 7), SIZE)
    rect, coarse = block((2, 9), (6, 9), SIZE), filled(around(10.5, 9.5, 6.5, 4.5), SIZE)
    masks = [
        *(BLOCK, BLOCK, block((15, 19), (20, 23), SIZE), filled(fine, SIZE), BLOCK),
        *(rect, rect, rect, coarse, filled(around(10.5, 10, 6, 4.75), SIZE), nested),
    ]
    assert objects_of(truth, "a.tif") == expected(*(("cell", mask) for mask in masks))


@pytest.mark.parametrize(
    "name",
    ["a.zip", "a.roi", "RoiSet_a.zip", "a_RoiSet.zip", "a-RoiSet.zip", "a_rois.zip", "a.roi.zip"],
)
def test_files_are_named_like_their_pictures(tmp_path: Path, name: str) -> None:
    draw_pictures(tmp_path, "day1/a.png", "day2/a.png", size=SIZE)
    write(tmp_path, f"day1/{name}", roi(POLYGON, SQUARE))
    truth = imagej(tmp_path)
    assert truth.image_ids == ("day1/a.png",)
    assert objects_of(truth, "day1/a.png") == expected(("cell", BLOCK))


def test_what_is_no_roi_in_a_zip_is_passed_by(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    extra = {"__MACOSX/._0090.roi": b"x", "read me.txt": b"x", "more/1.roi": roi(RECT, bounds=(2, 6, 9, 9)), "b/": b""}
    write(tmp_path, "a.zip", roi(POLYGON, SQUARE), extra=extra)
    truth = imagej(tmp_path)
    assert objects_of(truth, "a.png") == expected(("cell", BLOCK), ("cell", block((2, 9), (6, 9), SIZE)))
    write(tmp_path, "a.zip")
    assert imagej(tmp_path).annotations("a.png") == ()


@pytest.mark.parametrize(
    "wrong",
    [
        roi(POLYGON, SQUARE[:2]),
        roi(POLYGON, []),
        roi(POLYGON, SQUARE, fractions=[(1, 1), (4, 1), (4, 4), (1, float("nan"))]),
        roi(POLYGON, SQUARE, fractions=[(1, 1), (4, 1), (4, 4), (1, 1e30)]),
        roi(RECT, exact=(1, 1, float("inf"), 2)),
        roi(OVAL, exact=(1, 1, float("inf"), 2)),
        roi(RECT, bounds=(1, 1, 1, 1)),
        roi(RECT, paths=path_of((1, 1), (2, 2))),
        roi(RECT, paths=[0, 1, 1, 2, 5, 5, 6, 6, 4]),  # a curve
        roi(RECT, paths=[1, 1, 1, 4]),  # a line from nowhere
        roi(RECT, paths=[0, 1]),
    ],
)
def test_what_cannot_be_drawn_costs_only_its_object(tmp_path: Path, wrong: bytes) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    write(tmp_path, "a.zip", wrong, roi(POLYGON, SQUARE))
    assert objects_of(imagej(tmp_path), "a.png") == expected(("cell", BLOCK))


FAULTS: dict[str, tuple[bytes | list[bytes], str]] = {
    "no zip": (b"PK", r"a\.zip: cannot read \(File is not a zip file\)"),
    "no ROI": ([b"x" * 70], r"a\.zip: '0090\.roi' is no ROI of ImageJ; correct the file, or export it again"),
    "short": ([roi()[:63]], r"'0090\.roi' is no ROI of ImageJ"),
    "points cut off": ([roi(POLYGON, SQUARE)[:70]], r"'0090\.roi' ends before its coordinates do"),
    "paths cut off": ([roi(paths=path_of(*SQUARE))[:70]], r"'0090\.roi' ends before its coordinates do"),
    "a bomb": ([bytes((64 << 20) + 1)], "its ROIs unpack to more than 67108864 bytes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_file_are_of_its_picture(tmp_path: Path, fault: str) -> None:
    content, message = FAULTS[fault]
    draw_pictures(tmp_path, "a.png", "b.png", size=SIZE)
    write(tmp_path, "b.zip")
    path = write(tmp_path, "a.zip", *content) if isinstance(content, list) else write(tmp_path, "a.zip")
    if isinstance(content, bytes):
        path.write_bytes(content)
    truth = imagej(tmp_path)
    assert truth.annotations("b.png") == ()
    with pytest.raises(UserError, match=message) as caught:
        truth.annotations("a.png")
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_damaged_zips_raise_nothing_but_user_errors(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    path = write(tmp_path, "a.zip", roi(POLYGON, SQUARE))
    whole = path.read_bytes()
    truth = imagej(tmp_path)
    random = np.random.default_rng(5)
    for _ in range(200):
        spoilt = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            spoilt[place] ^= int(random.integers(1, 256))
        path.write_bytes(bytes(spoilt))
        with suppress(UserError):
            truth.annotations("a.png")


def test_zips_of_very_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    write(tmp_path, "a.zip", *[roi(POLYGON, SQUARE)] * 3)
    monkeypatch.setattr(module, "_MOST_ENTRIES", 3)
    assert len(imagej(tmp_path).annotations("a.png")) == 3
    monkeypatch.setattr(module, "_MOST_ENTRIES", 2)
    with pytest.raises(UserError, match=r"a\.zip: has 3 entries; expected 2 at most"):
        imagej(tmp_path).annotations("a.png")


def test_rois_have_no_class_and_files_one_picture(tmp_path: Path) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    write(tmp_path, "a.roi", roi(POLYGON, SQUARE))
    with pytest.raises(UserError, match=r"a\.roi: the ROI has no class; expected one of cell, dust"):
        imagej(tmp_path, classes=("cell", "dust")).annotations("a.png")
    write(tmp_path, "RoiSet_a.zip", roi(POLYGON, SQUARE))
    with pytest.raises(UserError, match=r"a\.roi: annotates a\.png, as .*RoiSet_a\.zip does; expected one file"):
        imagej(tmp_path)
    (tmp_path / "annotations/RoiSet_a.zip").rename(tmp_path / "annotations/RoiSet_b.zip")
    with pytest.raises(UserError, match=r"RoiSet_b\.zip: has no picture of its name in .*images"):
        imagej(tmp_path)
    assert imagej(tmp_path, skip_bad=True).image_ids == ("a.png",)


def test_names_in_any_case_and_zips_of_something_else(tmp_path: Path) -> None:
    names = ("a.png", "b.png", "c.png", "d.tif")
    draw_pictures(tmp_path, *names, size=SIZE)
    for name in ("ROISET-a.zip", "b-rois.zip", "c.ROI.zip", "d.tif.zip"):
        write(tmp_path, name, roi(POLYGON, SQUARE))
    write(tmp_path, "backup.zip", extra={"a.png": b"", "._a.roi": b""})
    assert imagej(tmp_path).image_ids == names


def test_the_rois_of_a_picture_are_limited_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_pictures(tmp_path, "a.png", size=SIZE)
    one = roi(POLYGON, SQUARE)
    write(tmp_path, "a.zip", one, one)
    monkeypatch.setattr(module, "_MOST_BYTES", 2 * len(one))
    assert len(imagej(tmp_path).annotations("a.png")) == 2
    monkeypatch.setattr(module, "_MOST_BYTES", 2 * len(one) - 1)
    with pytest.raises(UserError, match=r"a\.zip: its ROIs unpack to more than \d+ bytes; "):
        imagej(tmp_path).annotations("a.png")
