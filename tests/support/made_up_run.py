"""Small fictitious runs in the formats of three benchmarks, with all files, written by the project's own writers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from support.cityscapes_folder import write_image
from support.voc_folder import VOC, write_set, write_voc

from rsis.config.datasets import (
    AnyDataset,
    CityscapesDataset,
    CityscapesSplit,
    CvpppDataset,
    CvpppSplit,
    VocDataset,
    VocSplit,
)
from rsis.config.runs import ModelSection, PredictSection, RunSection, ScoreSection, TrainSection
from rsis.config.sources import PlantSource, SceneSource, StreetSource
from rsis.eval.run import score_run
from rsis.eval.scores import write_scores
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import decode_rle, encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions
from rsis.report.page import RunInputs

SIZE = (32, 32)
DATA: dict[str, AnyDataset] = {
    "tiny": CvpppDataset(
        format="cvppp",
        source=PlantSource(kind="plants", seed=1, image_size=SIZE, training=1, testing=12, leaves=(2, 3)),
        size=SIZE,
        splits={"test": CvpppSplit(folder="testing/A1")},
    ),
    "scenes": VocDataset(
        format="voc",
        source=SceneSource(kind="scenes", seed=1, image_size=SIZE, train=1, val=12, sbdataset=0, objects=(1, 3)),
        size=SIZE,
        voc=VOC,
        splits={"test": VocSplit(image_sets=("val",))},
    ),
    "streets": CityscapesDataset(
        format="cityscapes",
        source=StreetSource(kind="streets", seed=1, image_size=SIZE, train=1, val=12, test=1, objects=(1, 3)),
        size=SIZE,
        splits={"val": CityscapesSplit(folder="val")},
    ),
}
SCORERS = {"tiny": ("cvppp", "coco"), "scenes": ("voc", "coco"), "streets": ("cityscapes", "coco")}
DIGEST = "ab" * 32


def run_section(dataset: str, model: ModelSection | None = None, seed: int = 0) -> RunSection:
    """Return the section of a run on a data set of `DATA`."""
    return RunSection(
        dataset=dataset,
        model=model or ModelSection(backbone="resnet18", hidden_widths=(8, 8)),
        train=TrainSection(epochs=3, batch_size=2, num_steps=4, seed=seed, lr=1e-3, lr_encoder=1e-6),
        predict=PredictSection(num_steps=4, split="val" if dataset == "streets" else "test"),
        score=ScoreSection.model_validate({"scorers": SCORERS[dataset]}),
    )


def draw_plants(root: Path) -> None:
    """Write twelve plants of two round leaves in the CVPPP layout."""
    folder = root / "testing" / "A1"
    folder.mkdir(parents=True)
    for number in range(1, 13):
        label = Image.new("P", SIZE)
        label.putpalette([0, 0, 0, 250, 0, 0, 0, 250, 0])
        label.paste(Image.fromarray(two_discs(number).astype(np.uint8)))
        name = f"plant{number:03d}"
        green = np.where(np.asarray(label) > 0, 180, 40).astype(np.uint8)
        rgb = np.stack([green // 2, green, green // 3, np.full_like(green, 255)], axis=2)
        label.save(folder / f"{name}_label.png")
        label.point(lambda v: v > 0).save(folder / f"{name}_fg.png")
        Image.fromarray(rgb).save(folder / f"{name}_rgb.png")


def draw_scenes(root: Path) -> None:
    """Write twelve images of two objects in the layout of VOC: one of five classes in turn, and a person."""
    names = [f"2007_{number:06d}" for number in range(12)]
    for number, name in enumerate(names):
        objects = two_discs(number)
        write_voc(root, name, objects, np.array([0, 1 + number % 5, 15])[objects])
    write_set(root, "val", names)


def draw_streets(root: Path) -> None:
    """Write twelve images of a car and a person in the layout of Cityscapes."""
    for number in range(12):
        ids = np.array([7, 26000, 24000])[two_discs(number)]
        write_image(root, "val", f"town_{number:06d}_000019", ids.astype(np.int32))


def two_discs(number: int) -> np.ndarray:
    """Return an instance map of two discs, int32 [H, W], whose sizes depend on `number`."""
    image = Image.new("L", SIZE)
    draw = ImageDraw.Draw(image)
    draw.ellipse((2, 2, 12 + number % 3, 14), fill=1)
    draw.ellipse((16, 14, 29, 28 - number % 4), fill=2)
    return np.asarray(image).astype(np.int32)


def make_run(
    root: Path,
    name: str = "mine",
    shift: int = 1,
    dataset: str = "tiny",
    model: ModelSection | None = None,
    seed: int = 0,
) -> RunInputs:
    """Write the files of a run whose masks are the true ones, shifted; every third image lacks an object."""
    raw, data, run = root / "raw" / dataset, DATA[dataset], run_section(dataset, model, seed)
    if not raw.exists():
        {"tiny": draw_plants, "scenes": draw_scenes, "streets": draw_streets}[dataset](raw)
    split = run.predict.split
    truth = load_ground_truth(data, raw, split)
    images = []
    for number, image_id in enumerate(truth.image_ids):
        objects = [item for item in truth.annotations(image_id) if not item.iscrowd]
        found = []
        for step, item in enumerate(objects[: 1 + (number % 3 > 0)]):
            probs = np.full(len(truth.class_names), 0.02)
            probs[item.class_id - 1] = 0.9
            mask = encode_rle(np.roll(decode_rle(item.rle), shift, axis=1))
            found.append(InstancePrediction(mask, tuple(probs.tolist()), 0.8 - step / 10, step))
        objectness = (*(item.objectness for item in found), 0.3)
        images.append(ImagePrediction(image_id, SIZE, tuple(found), objectness))
    rules = run.predict.model_dump(mode="json")
    file = PredictionFile(dataset, name, split, DIGEST, tuple(truth.class_names), rules, tuple(images))
    predictions, metrics = root / "predictions" / f"{name}.json", root / "metrics" / f"{name}.json"
    write_predictions(predictions, file)
    write_scores(score_run(predictions, data, raw, run.score), metrics, root / "scores" / name)
    return RunInputs(name, metrics, root / "scores" / name, write_history(root, name), predictions, data, raw, run)


def write_history(root: Path, name: str) -> Path:
    """Write learning curves of three epochs and the record of the training."""
    history = root / "history" / name
    for curve in ("train/total", "val/total", "train/mask", "val/mask", "train/stop", "schedule/num_steps"):
        path = history / "plots" / "metrics" / f"{curve}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"step": [0, 1, 2], path.stem: [3.0, 2.0, 1.0]}).to_csv(path, sep="\t", index=False)
    facts = {"epochs": 3, "seconds": 75.4, "parameters": 1234567, "device": "cpu", "threads": 2, "commit": "c0ffee"}
    facts |= {"torch": "2.14.1"}
    (history / "run.json").write_text(json.dumps(facts))
    return history
