"""A small made-up run with all its files, written by the project's own writers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from rsis.config import ModelSection, PredictSection, RunSection, ScoreSection, TrainSection
from rsis.dataset_config import CvpppDataset, CvpppSplit, PlantSource
from rsis.eval.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions
from rsis.eval.run import score_run
from rsis.eval.scores import write_scores
from rsis.masks import encode_rle, map_to_masks
from rsis.report.write import RunInputs

DATA = CvpppDataset(
    format="cvppp",
    source=PlantSource(kind="plants", seed=1, image_size=(32, 32), training=1, testing=12, leaves=(2, 3)),
    size=(32, 32),
    splits={"test": CvpppSplit(folder="testing/A1")},
)
RUN = RunSection(
    dataset="tiny",
    model=ModelSection(backbone="resnet18", hidden_widths=(8, 8)),
    train=TrainSection(epochs=3, batch_size=2, num_steps=4, lr=1e-3, lr_encoder=1e-6),
    predict=PredictSection(num_steps=4),
    score=ScoreSection(scorers=("cvppp", "coco")),
)
DIGEST = "ab" * 32


def draw_plants(folder: Path) -> dict[str, np.ndarray]:
    """Twelve plants of two round leaves, in the CVPPP layout; returns their instance maps."""
    folder.mkdir(parents=True)
    maps = {}
    for number in range(1, 13):
        label = Image.new("P", (32, 32))
        label.putpalette([0, 0, 0, 250, 0, 0, 0, 250, 0])
        draw = ImageDraw.Draw(label)
        draw.ellipse((2, 2, 12 + number % 3, 14), fill=1)
        draw.ellipse((16, 14, 29, 28 - number % 4), fill=2)
        name = f"plant{number:03d}"
        maps[name] = np.asarray(label).astype(np.int32)
        label.save(folder / f"{name}_label.png")
        label.point(lambda v: v > 0).save(folder / f"{name}_fg.png")
        green = np.where(maps[name] > 0, 180, 40).astype(np.uint8)
        rgb = np.stack([green // 2, green, green // 3, np.full_like(green, 255)], axis=2)
        Image.fromarray(rgb).save(folder / f"{name}_rgb.png")
    return maps


def make_run(root: Path, name: str = "mine", shift: int = 1) -> RunInputs:
    raw = root / "raw"
    maps = draw_plants(raw / "testing" / "A1") if not raw.exists() else {}
    if not maps:
        files = sorted((raw / "testing" / "A1").glob("*_label.png"))
        maps = {path.name.removesuffix("_label.png"): np.asarray(Image.open(path)).astype(np.int32) for path in files}
    images = []
    for number, (image_id, labels) in enumerate(maps.items()):
        masks = np.roll(map_to_masks(labels), shift, axis=2)[: 1 + (number % 3 > 0)]  # every third misses a leaf
        found = (InstancePrediction(encode_rle(mask), (1.0,), 0.8, step) for step, mask in enumerate(masks))
        images.append(ImagePrediction(image_id, (32, 32), tuple(found)))
    file = PredictionFile("tiny", name, "test", DIGEST, ("leaf",), {"mask_threshold": 0.5}, tuple(images))
    write_predictions(root / "predictions" / f"{name}.json", file)
    scores = score_run(root / "predictions" / f"{name}.json", DATA, raw, RUN.score)
    write_scores(scores, root / "metrics" / f"{name}.json", root / "scores" / name)
    history = root / "history" / name
    for curve in ("train/total", "val/total", "train/mask", "val/mask", "train/stop", "schedule/num_steps"):
        path = history / "plots" / "metrics" / f"{curve}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"step": [0, 1, 2], path.stem: [3.0, 2.0, 1.0]}).to_csv(path, sep="\t", index=False)
    facts = {"epochs": 3, "seconds": 75.4, "parameters": 1234567, "device": "cpu", "threads": 2, "commit": "c0ffee"}
    (history / "run.json").write_text(json.dumps(facts))
    predictions, metrics = root / "predictions" / f"{name}.json", root / "metrics" / f"{name}.json"
    return RunInputs(name, metrics, root / "scores" / name, history, predictions, DATA, raw, RUN)
