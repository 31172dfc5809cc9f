"""Annotations on disk and predictions with overlapping masks, one pair for each format of a submission."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from support.made_up_run import DATA, draw_plants, run_section
from support.voc_folder import CLASSES, OBJECTS, configuration, write_voc

from rsis.config.datasets import AnyDataset, CocoDataset
from rsis.config.runs import RunSection, ScoreSection
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import encode_rle, map_to_masks
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions

SIDE = 40
PLANTS, RUN = DATA["tiny"], run_section("tiny")


def with_rules(scorer: str, **rules: str) -> RunSection:
    score = ScoreSection.model_validate({"scorers": (scorer,), "remove_ignored": False, **rules})
    return RUN.model_copy(update={"score": score})


def noisy(rng: np.random.Generator, masks: np.ndarray, num_classes: int) -> tuple[InstancePrediction, ...]:
    """Return the masks shifted and enlarged, so that they overlap, each with random probabilities."""
    found = []
    for step, mask in enumerate(masks):
        moved = np.roll(mask, rng.integers(-2, 3, 2), axis=(0, 1)) | np.roll(mask, 3, axis=0)
        probs = tuple(map(float, rng.dirichlet(np.ones(num_classes))))
        found.append(InstancePrediction(encode_rle(moved), probs, float(rng.random()), step))
    return tuple(found)


def save(path: Path, images: list[ImagePrediction], classes: tuple[str, ...]) -> PredictionFile:
    predictions = PredictionFile(RUN.dataset, "mine", "test", "0" * 64, classes, {}, tuple(images))
    write_predictions(path, predictions)
    return predictions


def plants(root: Path) -> tuple[Path, Path]:
    """Write plants and predictions with overlapping leaves, and without leaves for one plant; return both paths."""
    rng = np.random.default_rng(5)
    images = []
    draw_plants(root / "raw")
    for number, path in enumerate(sorted((root / "raw/testing/A1").glob("*_label.png"))):
        plant, labels = path.name.removesuffix("_label.png"), np.asarray(Image.open(path)).astype(np.int32)
        masks = map_to_masks(labels)
        masks = masks[:0] if number == 3 else np.concatenate([masks, masks])
        images.append(ImagePrediction(plant, labels.shape, noisy(rng, masks, 1)))
    save(root / "mine.json", images, ("leaf",))
    return root / "raw", root / "mine.json"


def coco(root: Path) -> tuple[CocoDataset, Path]:
    """Write an annotation file, whose ids are not positions, and predictions; return the section and their path."""
    rng = np.random.default_rng(8)
    pictures, annotations, images = [], [], []
    for number, picture_id in enumerate((40, 7, 11)):
        name = f"{number}.png"
        pictures.append({"id": picture_id, "file_name": name, "height": SIDE, "width": SIDE + 4})
        masks = np.zeros((4, SIDE, SIDE + 4), bool)
        for k, mask in enumerate(masks):
            mask[10 * k : 10 * k + 8, 5 : 25 + k] = True
            target = {"id": 4 * number + k + 1, "image_id": picture_id, "category_id": 9 if k % 2 else 3}
            annotations.append({**target, "segmentation": encode_rle(mask), "area": int(mask.sum()), "iscrowd": 0})
        images.append(ImagePrediction(name, (SIDE, SIDE + 4), noisy(rng, masks if number else masks[:0], 2)))
    categories = [{"id": 9, "name": "nut"}, {"id": 3, "name": "bolt"}]
    document = {"images": pictures, "categories": categories, "annotations": annotations}
    (root / "truth.json").write_text(json.dumps(document))
    save(root / "mine.json", images, ("bolt", "nut"))  # in the order of the reader, not of the file
    source = {"kind": "folder", "path": "pictures"}
    splits = {"test": {"annotations": "truth.json", "images": "."}}
    section = {"format": "coco", "source": source, "size": (8, 8), "splits": splits}
    return CocoDataset.model_validate(section), root / "mine.json"


def voc(root: Path) -> tuple[AnyDataset, Path]:
    """Write two images of VOC and predictions of all its classes; return the section and their path."""
    rng = np.random.default_rng(9)
    truth_map = np.kron(OBJECTS, np.ones((10, 10), int))
    masks = np.stack([truth_map == 1, truth_map == 3])
    images = []
    for image_id in ("2007_000033", "2008_000002"):
        write_voc(root, image_id, truth_map, np.kron(CLASSES, np.ones((10, 10), int)))
        cat_or_person = np.isin(np.arange(20), (7, 14)) / 3
        instances = [
            replace(item, class_probs=tuple(map(float, np.array(item.class_probs) / 3 + cat_or_person)))
            for item in noisy(rng, masks, 20)
        ]
        images.append(ImagePrediction(image_id, (40, 60), tuple(instances)))
    sets = root / "VOC2012/ImageSets/Segmentation"
    sets.mkdir(parents=True)
    (sets / "val.txt").write_text("2007_000033\n2008_000002\n")
    dataset = configuration(sbdataset=None, test={"image_sets": ("val",)})
    save(root / "mine.json", images, load_ground_truth(dataset, root, "test").class_names)
    truth = load_ground_truth(dataset, root, "test")
    annotations: list[dict[str, Any]] = []
    for image_id in truth.image_ids:
        for item in truth.annotations(image_id):
            target = {"id": len(annotations) + 1, "image_id": image_id, "category_id": item.class_id, "iscrowd": 0}
            annotations.append({**target, "segmentation": item.rle, "area": item.area})
    pictures = [{"id": image_id, "height": 40, "width": 60} for image_id in truth.image_ids]
    categories = [{"id": k, "name": name} for k, name in enumerate(truth.class_names, 1)]
    document = {"images": pictures, "categories": categories, "annotations": annotations}
    (root / "truth.json").write_text(json.dumps(document))
    return dataset, root / "mine.json"
