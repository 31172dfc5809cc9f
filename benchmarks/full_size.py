"""Time and peak memory of every stage on generated data of the benchmarks' real size.

    python -m benchmarks.full_size [FOLDER]

generates 1464 + 1449 scenes of 375 x 500 in VOC's layout and 300 streets of 1024 x 2048 in that of Cityscapes, and
runs the stages on each: download, check, prepare, one short epoch of training, predict and score. The files, about
3 GB, are kept in FOLDER (default: a temporary folder). Peak memory is that of all processes of a stage together.
"""

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import MeasurementError, run_stage

PARAMS = """
datasets:
  scenes:
    format: voc
    source: {kind: scenes, seed: 1, image_size: [375, 500], train: 1464, val: 1449, sbdataset: 0, objects: [1, 4]}
    size: [128, 128]
    voc: VOCdevkit/VOC2012
    splits:
      train: {image_sets: [train], share: [0.1, 1.0]}
      val: {image_sets: [train], share: [0.0, 0.1]}
      test: {image_sets: [val]}
  streets:
    format: cityscapes
    source: {kind: streets, seed: 1, image_size: [1024, 2048], train: 200, val: 80, test: 20, objects: [4, 20]}
    size: [128, 256]
    splits: {train: {folder: train}, val: {folder: val}, test: {folder: test}}
runs:
  scenes: &run
    dataset: scenes
    model: {backbone: resnet18, stride: 16, hidden_widths: [64, 32, 8, 4], mask_gain: 5.0}
    train: &train
      epochs: 1
      batch_size: 8
      num_steps: 6
      workers: 0
      optimizer: adamw
      lr: 2e-3
      lr_encoder: 2e-3
      lr_schedule: one_cycle
      clip_norm: 1.0
      objective: {class_weight: 0.5, class_from_epoch: 0, stop_from_epoch: 0}
      keep: last
    predict: {num_steps: 6, objectness_threshold: 0.0}   # every step's mask: the most that scoring can get
    score: {scorers: [voc, coco]}
  streets:
    <<: *run
    dataset: streets
    train: {<<: *train, num_steps: 12}
    predict: {split: val, num_steps: 12, objectness_threshold: 0.0}
    score: {scorers: [cityscapes, coco], remove_ignored: false}
default: {datasets: [], runs: {}}
"""
STAGES = ("download", "check", "prepare", "train", "predict", "score")


def measure(folder: Path, stage: str, name: str) -> tuple[float, int]:
    """Run one stage and return its seconds and peak memory in MiB."""
    try:
        result = run_stage(stage, name, folder)
    except MeasurementError as error:
        print(f"full_size: {error}", file=sys.stderr)
        sys.exit(2)
    return round(result.seconds, 1), round(result.peak_mib)


def main() -> None:
    """Run every stage on both data sets; print a table and write full_size.json into the folder."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="full_size."))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(PARAMS)
    rows = []
    for name in ("scenes", "streets"):
        for stage in STAGES:
            seconds, mib = measure(folder, stage, name)
            rows.append({"stage": stage, "name": name, "seconds": seconds, "mib": mib})
            print(f"{stage:10} {name:8} {seconds:8.1f} s {mib:6d} MiB", flush=True)
    (folder / "full_size.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
