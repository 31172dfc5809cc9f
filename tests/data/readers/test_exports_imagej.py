"""Tests of the reader of ImageJ's ROI files, which are written here byte by byte."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
from support.export_folder import SIZE, box, check_objects, corners, open_export, round_mask, write_picture

from rsis.data.readers.base import BadSampleError, notes_of
from rsis.errors import UserError

POLYGON, RECT, OVAL, LINE, FREELINE, POLYLINE, FREEHAND, TRACED, ANGLE, POINT = 0, 1, 2, 3, 4, 5, 7, 8, 9, 10
SUBPIXEL = 128


def _roi(
    kind: int,
    bounds: tuple[int, int, int, int] = (0, 0, 0, 0),
    points: Any = (),
    *,
    exact: Any = None,
    path: Any = (),
    subtype: int = 0,
    rectangle: Any = None,
) -> bytes:
    """Return a ROI: left, top, right, bottom of its bounds, then points relative to left and top."""
    left, top, right, bottom = bounds
    head = bytearray(64)
    head[:4] = b"Iout"
    struct.pack_into(">hB", head, 4, 227, kind)
    struct.pack_into(">hhhhH", head, 8, top, left, bottom, right, len(points))
    struct.pack_into(">i", head, 36, len(path))
    options = SUBPIXEL if exact is not None or rectangle is not None else 0
    struct.pack_into(">hh", head, 48, subtype, options)
    if rectangle is not None:
        struct.pack_into(">4f", head, 18, *rectangle)
    body = struct.pack(f">{2 * len(points)}h", *[x for x, _ in points], *[y for _, y in points])
    if exact is not None:
        body += struct.pack(f">{2 * len(exact)}f", *[x for x, _ in exact], *[y for _, y in exact])
    return bytes(head) + body + struct.pack(f">{len(path)}f", *path)


def _path(*rings: list[list[float]]) -> list[float]:
    """Return the path of a composite: 0 moves, 1 draws a line, 4 closes."""
    path: list[float] = []
    for ring in rings:
        for number, (x, y) in enumerate(ring):
            path += [0 if number == 0 else 1, x, y]
        path += [4]
    return path


def _write(path: Path, *rois: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for number, roi in enumerate(rois):
            file.writestr(f"{9 - number:04d}.roi", roi)  # the order is that of the entries


def _read(root: Path) -> Any:
    return open_export(root, "imagej", "rois", classes=("cell",)).read("a.png")


SQUARE = _roi(POLYGON, (2, 3, 6, 5), corners(0, 0, 4, 2))


@pytest.mark.parametrize("kind", [POLYGON, FREEHAND, TRACED])
def test_polygons_are_relative_to_their_bounds(tmp_path: Path, kind: int) -> None:
    write_picture(tmp_path / "images/a.png")
    _write(tmp_path / "rois/a.zip", _roi(kind, (2, 3, 6, 5), corners(0, 0, 4, 2)))
    check_objects(_read(tmp_path), (box(2, 3, 6, 5), 1))


def test_all_types(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    donut = _path(corners(8, 0, 16, 5), corners(10, 1, 14, 4))
    _write(
        tmp_path / "rois/a.zip",
        SQUARE,
        _roi(POLYGON, (0, 0, 4, 2), corners(0, 0, 4, 2), exact=corners(0, 8, 3, 10)),
        _roi(RECT, (0, 0, 2, 2)),
        _roi(RECT, (4, 0, 7, 2), rectangle=(5, 0, 2, 2)),
        _roi(OVAL, (4, 6, 8, 12)),
        _roi(OVAL, (0, 0, 1, 1), rectangle=(9.5, 6, 5, 5.5)),
        _roi(RECT, (8, 0, 16, 5), path=donut),
        *(_roi(kind, (2, 3, 6, 5), corners(0, 0, 4, 2)) for kind in (LINE, FREELINE, POLYLINE, ANGLE, POINT)),
        _roi(RECT, (0, 0, 2, 2), subtype=1) + bytes(64),
        _roi(POLYGON, (2, 3, 6, 5), [[0, 0], [4, 4]]),
        _roi(RECT, (8, 0, 16, 5), path=[0, 1, 1, 3, 1, 1, 2, 2, 3, 3]),
        _roi(RECT, (8, 0, 16, 5), path=[0, 1, 1, 1, 2]),
        _roi(RECT, (8, 0, 16, 5), path=[0, 1, 1, 4]),
    )
    sample = _read(tmp_path)
    check_objects(
        sample,
        (box(2, 3, 6, 5), 1),
        (box(0, 8, 3, 10), 1),
        (box(0, 0, 2, 2), 1),
        (box(5, 0, 7, 2), 1),
        (round_mask(6, 9, 2, 3), 1),
        (round_mask(12, 8.75, 2.5, 2.75), 1),
        (box(8, 0, 16, 5) & ~box(10, 1, 14, 4), 1),
    )
    assert sample.dropped == ("cannot be drawn",) * 10
    assert f"{tmp_path / 'rois/a.zip'}: '0002.roi' of a.png: a shape that encloses nothing" in sample.drop_details


def test_path_in_a_hole_is_object_again(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    rings = (corners(0, 0, 12, 12), corners(2, 2, 10, 10), corners(4, 4, 8, 8))
    _write(tmp_path / "rois/a.zip", _roi(RECT, (0, 0, 12, 12), path=_path(*rings)))
    expected = box(0, 0, 12, 12) & ~box(2, 2, 10, 10) | box(4, 4, 8, 8)
    check_objects(_read(tmp_path), (expected, 1))


@pytest.mark.parametrize(
    "name",
    ["a.zip", "RoiSet_a.zip", "a_RoiSet.zip", "a-RoiSet.zip", "a_rois.zip", "a.roi.zip", "a.png.zip", "a.roi"],
)
def test_file_is_named_after_its_picture(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / "images/day/a.png")
    write_picture(tmp_path / "images/day/b.png")
    _write(tmp_path / "rois/day" / name, SQUARE)
    if name == "a.roi":
        (tmp_path / "rois/day" / name).write_bytes(SQUARE)
    reader = open_export(tmp_path, "imagej", "rois", classes=("cell",))
    assert reader.image_ids == ("day/a.png",)
    check_objects(reader.read("day/a.png"), (box(2, 3, 6, 5), 1))
    assert notes_of(reader) == (
        f"{tmp_path / 'rois'}: pictures without annotations yet, which are left out: 1 (the first: day/b.png)",
    )


def test_zip_of_something_else_is_passed_by(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    _write(tmp_path / "rois/a.zip", SQUARE)
    with zipfile.ZipFile(tmp_path / "rois/backup.zip", "w") as file:
        file.writestr("a.png", b"")
    reader = open_export(tmp_path, "imagej", "rois", classes=("cell",))
    assert notes_of(reader) == (
        f"{tmp_path / 'rois'}: files that are no annotations, and are passed by: 1 (the first: backup.zip)",
    )
    _write(tmp_path / "rois/b.zip", SQUARE)
    with pytest.raises(UserError, match=r"b.zip: has no picture of that name"):
        open_export(tmp_path, "imagej", "rois", classes=("cell",))


def test_whole_name_comes_before_its_parts(tmp_path: Path) -> None:
    for name in ("a.png", "a_rois.png"):
        write_picture(tmp_path / "images" / name)
    _write(tmp_path / "rois/a_rois.zip", SQUARE)
    assert open_export(tmp_path, "imagej", "rois", classes=("cell",)).image_ids == ("a_rois.png",)


def test_classes_cannot_be_told_apart(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    _write(tmp_path / "rois/a.zip", SQUARE)
    with pytest.raises(UserError, match=r"a.zip: has no class; expected one of 'cat', 'dog'"):
        open_export(tmp_path, "imagej", "rois")


def _deflated(*sizes: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, size in enumerate(sizes):
            archive.writestr(f"{number}.roi", bytes(size))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"Iout", _deflated(10), _deflated(100), _deflated(2**26, 1), SQUARE],
    ids=["empty", "cut", "short", "short roi", "no roi", "bomb", "roi"],
)
def test_broken_zip_is_a_fault_of_its_picture(tmp_path: Path, content: bytes) -> None:
    for name in "ab":
        write_picture(tmp_path / f"images/{name}.png")
        _write(tmp_path / f"rois/{name}.zip", SQUARE)
    (tmp_path / "rois/a.zip").write_bytes(content)
    reader = open_export(tmp_path, "imagej", "rois", classes=("cell",))
    check_objects(reader.read("b.png"), (box(2, 3, 6, 5), 1))
    with pytest.raises(BadSampleError, match=r"^[^\n]*a.zip: [^\n]*$"):
        reader.read("a.png")


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rsis.data.readers.exports.imagej._MOST_ROIS", 3)
    write_picture(tmp_path / "images/a.png")
    _write(tmp_path / "rois/a.zip", *[SQUARE] * 4)
    with pytest.raises(BadSampleError, match="holds 4 entries of"):
        _read(tmp_path)


def test_roifile_and_the_bytes_here_agree(tmp_path: Path) -> None:
    roi = roifile.ImagejRoi.frompoints(np.array(corners(1, 2, 5, 6)))
    write_picture(tmp_path / "images/a.png")
    (tmp_path / "rois").mkdir()
    roi.tofile(str(tmp_path / "rois/a.roi"))
    check_objects(_read(tmp_path), (box(1, 2, 5, 6, SIZE), 1))


def test_paths_of_a_composite_that_enclose_nothing_are_passed_by(tmp_path: Path) -> None:
    """ImageJ ends some composites with a move to a single point."""
    write_picture(tmp_path / "images/a.png")
    path = [*_path(corners(1, 1, 9, 9), corners(3, 3, 6, 6)), 0, 2, 2, *_path([[4, 4], [5, 5]])]
    _write(tmp_path / "rois/a.zip", _roi(RECT, (1, 1, 9, 9), path=path))
    check_objects(_read(tmp_path), (box(1, 1, 9, 9) & ~box(3, 3, 6, 6), 1))
