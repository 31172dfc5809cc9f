"""Every stage on generated data in each benchmark's format, with its official scorer and submission."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rsis.cli.main import app

PARAMS = """
datasets:
  scenes:
    format: voc
    source: {kind: scenes, seed: 2, image_size: [64, 64], train: 8, val: 3, sbdataset: 4, objects: [1, 3]}
    size: [32, 32]
    voc: VOCdevkit/VOC2012
    sbdataset: benchmark_RELEASE/dataset
    splits:
      train: {image_sets: [train], sbdataset: [train, val], exclude: [val], share: [0.25, 1.0]}
      val: {image_sets: [train], sbdataset: [train, val], exclude: [val], share: [0.0, 0.25]}
      test: {image_sets: [val]}
  streets:
    format: cityscapes
    source: {kind: streets, seed: 2, image_size: [64, 128], train: 6, val: 3, test: 2, objects: [3, 6]}
    size: [32, 64]
    splits: {train: {folder: train}, val: {folder: val}, test: {folder: test}}
runs:
  scenes: &run
    dataset: scenes
    model: {backbone: resnet18, stride: 16, hidden_widths: [8, 4], box_head: true}
    train:
      epochs: 1
      batch_size: 2
      num_steps: 4
      workers: 0
      lr: 1e-3
      lr_encoder: 1e-3
      objective: {class_from_epoch: 0, stop_from_epoch: 0}
      keep: last
    predict: {num_steps: 4, mask_threshold: 0.3, objectness_threshold: 0.0}
    score: {scorers: [voc, coco]}
  streets:
    <<: *run
    dataset: streets
    predict: {split: val, num_steps: 4, mask_threshold: 0.3, objectness_threshold: 0.0, largest_component: true}
    score: {scorers: [cityscapes, coco], remove_ignored: false}
default: {datasets: [], runs: {}}
"""
EXPECTED = {
    "scenes": (3, {"voc/APr50", "voc/APr", "voc/AR10_iou50", "voc/AR50_iou85", "coco/AP50"}, {"results.json"}),
    "streets": (3, {"cityscapes/AP", "cityscapes/AP50", "coco/AP50"}, {".txt", ".png"}),
}


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result.output


@pytest.mark.pipeline
@pytest.mark.parametrize("name", ["scenes", "streets"])
def test_every_stage(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    run("download", name)
    counts = run("check", name, "--workers", "1")
    assert all(split in counts for split in ("train", "val", "test"))
    for stage in ("prepare", "train", "predict", "score", "submit", "report"):
        run(stage, name)
    images, metrics, submitted = EXPECTED[name]
    predictions = json.loads(Path(f"predictions/{name}.json").read_text())
    assert len(predictions["images"]) == images
    assert {len(item["class_probs"]) for image in predictions["images"] for item in image["instances"]} == {
        20 if name == "scenes" else 8
    }
    found = json.loads(Path(f"metrics/{name}.json").read_text())
    assert metrics <= set(found)
    assert all(0 <= value <= 1 for value in found.values())
    files = [path.name for path in Path(f"submissions/{name}").rglob("*") if path.is_file()]
    assert all(any(file.endswith(suffix) for file in files) for suffix in submitted)
    assert Path(f"reports/{name}.html").is_file()


def test_check_names_what_is_broken_and_ends_with_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    run("download", "scenes")
    picture = sorted(Path("data/raw/scenes/VOCdevkit/VOC2012/JPEGImages").iterdir())[0]
    picture.write_bytes(picture.read_bytes()[:200])
    result = CliRunner().invoke(app, ["check", "scenes", "--workers", "1"])
    assert result.exit_code != 0
    assert picture.name in result.output
    assert "not whole" in str(result.exception)
