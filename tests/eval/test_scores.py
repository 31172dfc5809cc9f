"""Tests of the files of scores: exact round trips, and the errors for damaged files."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from rsis.errors import UserError
from rsis.eval.scores import Scores, read_scores, write_scores
from rsis.files.atomic import MARK

SCORES = Scores(
    metrics={"cvppp/sbd": 0.1 + 0.2, "coco/AP": 1 / 3, "cvppp/dic": -1.0},
    per_image=pd.DataFrame(
        {
            "image_id": ["001", "NA"],
            "objects": [3, 0],
            "predicted": [2, 0],
            "cvppp/sbd": [1 / 3, 0.1],
            "cvppp/dic": [-1, 0],
        }
    ),
    per_class=pd.DataFrame({"class_name": ["nut", "null"], "objects": [3, 0], "coco/AP": [2 / 3, float("nan")]}),
    objects=pd.DataFrame(
        {
            "image_id": ["001"],
            "class_name": ["nut"],
            "area": [4.5],
            "iou": [0.0],
            "step": [float("nan")],
            "share": [0.25],
        }
    ),
    curves=pd.DataFrame({"scorer": ["coco", "coco"], "iou": [0.5, 0.55], "ap": [2 / 3, float("nan")]}),
    protocol={"dataset": "plants", "images": 2, "left_out": [], "scorers": {"coco": "pycocotools 2"}},
    masks=pd.DataFrame(
        [("001", 0, "nut", 0.9, 1 / 3, "background")],
        columns=["image_id", "step", "class_name", "objectness", "iou", "kind"],
    ),
    steps=pd.DataFrame([("001", 0, 0.9, 1), ("001", 1, 1 / 3, 0)], columns=["image_id", "step", "objectness", "left"]),
)


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "metrics" / "demo.json", tmp_path / "scores" / "demo"
    write_scores(SCORES, *paths)
    return paths


def test_reading_gives_back_what_was_written(written: tuple[Path, Path]) -> None:
    scores = read_scores(*written)
    assert scores.metrics == SCORES.metrics
    assert scores.protocol == SCORES.protocol
    pd.testing.assert_frame_equal(scores.per_image, SCORES.per_image, check_exact=True)
    pd.testing.assert_frame_equal(scores.per_class, SCORES.per_class, check_exact=True)
    pd.testing.assert_frame_equal(scores.objects, SCORES.objects, check_exact=True)
    pd.testing.assert_frame_equal(scores.curves, SCORES.curves, check_exact=True)
    pd.testing.assert_frame_equal(scores.masks, SCORES.masks, check_exact=True)
    pd.testing.assert_frame_equal(scores.steps, SCORES.steps, check_exact=True)


def test_metrics_are_flat_and_sorted_and_tables_are_plain(written: tuple[Path, Path]) -> None:
    metrics_path, folder = written
    metrics = json.loads(metrics_path.read_text())
    assert list(metrics) == ["coco/AP", "cvppp/dic", "cvppp/sbd"]
    assert (folder / "per_class.csv").read_text().splitlines()[2] == "null,0,"
    assert sorted(item.name for item in folder.iterdir()) == [
        MARK,
        "curves.csv",
        "masks.csv",
        "objects.csv",
        "per_class.csv",
        "per_image.csv",
        "protocol.json",
        "steps.csv",
    ]


def test_writing_again_replaces_everything_and_is_reproducible(written: tuple[Path, Path]) -> None:
    metrics_path, folder = written
    before = {path.name: path.read_bytes() for path in [metrics_path, *folder.iterdir()]}
    write_scores(replace(SCORES, metrics={}), metrics_path, folder)
    write_scores(SCORES, metrics_path, folder)
    assert {path.name: path.read_bytes() for path in [metrics_path, *folder.iterdir()]} == before


@pytest.mark.parametrize("name", ["metrics/demo.json", "scores/demo/per_image.csv", "scores/demo/protocol.json"])
def test_a_missing_file_says_what_to_do(written: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"{name}: cannot read .*run `rsis score RUN`"):
        read_scores(*written)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics/demo.json", '{"coco/AP": "high"}', "coco/AP is 'high'"),
        ("metrics/demo.json", '{"coco/AP": NaN}', "coco/AP is nan"),
        ("scores/demo/per_image.csv", "", "not a CSV table"),
        ("scores/demo/per_image.csv", "image,objects\n", r"starts with columns \['image', 'objects'\]"),
    ],
)
def test_a_spoilt_file_is_named(
    written: tuple[Path, Path], tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=f"{name}: {message}"):
        read_scores(*written)
