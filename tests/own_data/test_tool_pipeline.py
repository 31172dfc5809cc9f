"""Folders of annotation tools from `rsis init` to a score, and what is read of them against what was drawn."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import tool_layouts as layouts
from support import tool_maps as maps
from support.in_process import exit_code as rsis
from support.params_text import change
from support.tool_layouts import Drawn

from rsis.config.params import load_params
from rsis.data.prepared.file import PreparedSplit
from rsis.data.readers.open import open_split
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import decode_rle

LAYOUTS = (
    *(layouts.yolo_ultralytics, layouts.yolo_roboflow, layouts.yolo_list, layouts.labelme, layouts.labelme_apart),
    *(layouts.cvat, layouts.labelstudio, layouts.via, layouts.via_1, layouts.geojson, layouts.imagej),
    *(maps.voc_of_cvat, maps.voc_of_labelme, maps.films, maps.stardist),
)
TRAINED = (
    layouts.labelme,
    layouts.cvat,
    maps.voc_of_cvat,
)  # files of pictures, one file, maps: prepared, all are alike
PREPARED = (*(layouts.yolo_roboflow, layouts.labelstudio, layouts.via, layouts.geojson, layouts.imagej, maps.films),)


@pytest.mark.parametrize("write", LAYOUTS, ids=lambda write: write.__name__)
def test_both_read_what_was_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Drawn]
) -> None:
    """Every picture is in one split, and both programs find its objects with their pixels and their classes."""
    monkeypatch.chdir(tmp_path)
    drawn = write(tmp_path / "mine")
    assert rsis(monkeypatch, "init", "mine") == 0
    dataset = load_params(tmp_path / "params.yaml").dataset("mine")
    assert not dataset.skip_bad
    seen = []
    for split in dataset.splits:
        reader = open_split(dataset, tmp_path / "mine", split, lambda path, message: pytest.fail(f"{path}: {message}"))
        truth = load_ground_truth(dataset, tmp_path / "mine", split)
        assert reader.image_ids == truth.image_ids
        assert reader.class_names == truth.class_names
        for image_id in reader.image_ids:
            name = Path(image_id).name
            objects = drawn[name] if name in drawn else drawn[Path(name).stem]
            seen.append(next(key for key, value in drawn.items() if value is objects))
            sample = reader.read(image_id)
            numbers = truth.instance_map(image_id)
            found = [item for item in truth.annotations(image_id) if not item.iscrowd]
            assert len(objects) == len(sample.class_ids) == len(found)
            for class_name, mask in objects:
                held = mask & ~sample.ignore_mask
                (number,) = np.unique(sample.instance_map[held])
                assert np.array_equal(sample.instance_map == number, held)
                assert reader.class_names[sample.class_ids[number - 1] - 1] == class_name
                (number,) = np.unique(numbers[held])
                assert np.array_equal(numbers == number, held)
                (same,) = (item for item in found if np.array_equal(decode_rle(item.rle) & ~sample.ignore_mask, held))
                assert truth.class_names[same.class_id - 1] == class_name
    assert sorted(seen) == sorted(drawn)


@pytest.mark.parametrize("write", PREPARED, ids=lambda write: write.__name__)
def test_what_is_prepared_is_what_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Drawn]
) -> None:
    """`rsis prepare` compares both readings of each picture, and ends with an error where they differ."""
    monkeypatch.chdir(tmp_path)
    drawn = write(tmp_path / "mine")
    for command in (("init", "mine"), ("download", "mine"), ("check", "mine"), ("prepare", "mine")):
        assert rsis(monkeypatch, *command) == 0, command
    splits = [PreparedSplit(path) for path in (tmp_path / "data/processed/mine").glob("*.h5")]
    assert sum(map(len, splits)) == len(drawn)
    counts = [len(split.read(number).class_ids) for split in splits for number in range(len(split))]
    assert sorted(counts) == sorted(map(len, drawn.values()))


@pytest.mark.pipeline
@pytest.mark.parametrize("write", TRAINED, ids=lambda write: write.__name__)
def test_from_the_export_to_a_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Drawn]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine")
    assert rsis(monkeypatch, "init", "mine") == 0
    text = (tmp_path / "params.yaml").read_text()
    short = {"train.epochs": 1, "train.workers": 0, "predict.objectness_threshold": 0.0}
    for key, value in {**short, "predict.num_steps": 3}.items():
        text = change(text, f"runs.mine.{key}", value)
    (tmp_path / "params.yaml").write_text(text)
    for command in ("download", "check", "prepare", "train", "predict", "score"):
        assert rsis(monkeypatch, command, "mine") == 0, command
    figures = json.loads((tmp_path / "metrics/mine.json").read_text())
    assert "coco/AP" in figures
    assert all(0 <= value <= 1 for name, value in figures.items() if name.startswith("coco/"))
