"""Tests of what else is known of the data sets of annotation tools: their files, their pixels, their pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.export_folder import SIZE, export_dataset, open_export, write_picture

from rsis.data.download.relevant import has_lists, relevant_files
from rsis.data.readers.measure import measure_intensity
from rsis.tracking.repeats import places_of


def _write_via(root: Path, *names: str) -> None:
    (root / "via.json").write_text(json.dumps({name: {"filename": name} for name in names}))


@pytest.mark.parametrize(
    ("kind", "suffixes"),
    [("yolo", (".txt",)), ("geojson", (".geojson", ".json")), ("imagej", (".roi", ".zip")), ("labelme", (".json",))],
)
def test_files_of_single_pictures_count_by_their_suffix(tmp_path: Path, kind: str, suffixes: tuple[str, ...]) -> None:
    write_picture(tmp_path / "images/a.png").rename(tmp_path / "images/a.dat")
    write_picture(tmp_path / "images/b.png")
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks/a.json").write_text(json.dumps({"shapes": [], "imagePath": "a.dat"}))
    dataset = export_dataset(kind, "marks")
    found = set(relevant_files(dataset, tmp_path) or ())
    assert found >= {".png", ".tif", *suffixes}
    assert found - set(Image.registered_extensions()) - {".npy", ".lsm", ".stk"} == {
        *suffixes,
        *(["images/a.dat"] if kind == "labelme" else []),
    }
    assert not has_lists(dataset)  # a further file may belong to a further picture


def test_a_single_file_counts_by_its_path(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png").rename(tmp_path / "images/a.dat")
    write_picture(tmp_path / "images/b.png")
    _write_via(tmp_path, "a.dat", "b.png")
    dataset = export_dataset("via", "./via.json")
    found = set(relevant_files(dataset, tmp_path) or ())
    assert found - set(Image.registered_extensions()) - {".npy", ".lsm", ".stk"} == {"via.json", "images/a.dat"}
    assert has_lists(dataset)


def test_intensity_is_measured_on_annotated_pictures(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name, value in (("a", 1000), ("b", 9000)):
        pixels = np.full(SIZE, value, np.uint16)
        pixels[0] = value - 500
        tifffile.imwrite(tmp_path / f"images/{name}.tif", pixels)
    _write_via(tmp_path, "a.tif")
    assert measure_intensity(export_dataset("via", "via.json"), tmp_path) == (500.0, 1000.0)


def test_pictures_are_compared_between_splits(tmp_path: Path) -> None:
    write_picture(tmp_path / "images/a.png")
    _write_via(tmp_path, "a.png")
    assert places_of(open_export(tmp_path, "via", "via.json")) == [(tmp_path / "images/a.png", None)]
