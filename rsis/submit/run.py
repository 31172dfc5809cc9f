"""The command `rsis submit`: a run's predictions in the format that its benchmark's organisers accept.

The format of the run's data set decides the files of the submission:

    cvppp        submission.h5, A1/plant003_label.png, ...    see `rsis.submit.lsc`
    cityscapes   <image>.txt, <image>_00.png, ...             see `rsis.submit.cityscapes`
    voc, coco    results.json                                 COCO's results format, one line per detection

A line of results.json has the image, the class, the mask at the image's original size, and the score, which is class
probability times objectness. An example of VOC:

    [
    {"image_id": "2007_000033", "category_id": 1, "segmentation": {"size": [366, 500], "counts": "..."}, "score": 0.5}
    ]

For COCO, `image_id` and `category_id` are the ids of the annotation file. For VOC they are the name of the image and
the position of the class in VOC's order, 1 (aeroplane) to 20 (tvmonitor). Of users' own data in other formats they are
the image's name and the position of the class in the data set.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never

from rsis.config.datasets import (
    AnyDataset,
    CityscapesDataset,
    CocoDataset,
    CocoSplit,
    CvpppDataset,
    ExportDataset,
    MapsDataset,
    MasksDataset,
    VocDataset,
)
from rsis.config.runs import RunSection, ScoreSection
from rsis.errors import UserError
from rsis.eval.detections import detections_of, instance_map_of
from rsis.eval.run import Origin, check_images, check_sizes
from rsis.eval.truths.coco import classes_of_file
from rsis.eval.truths.coco_file import parse_file
from rsis.eval.truths.open import load_ground_truth
from rsis.files import paths
from rsis.files.atomic import atomic_folder, check_replaceable
from rsis.prediction_file import PredictionFile, read_predictions
from rsis.submit.lsc import write_lsc_submission

RESULTS_NAME = "results.json"


def submit(
    name: str,
    run: RunSection,
    dataset: AnyDataset,
    root: Path,
    predictions_path: Path,
    folder: Path,
    split: str | None = None,
) -> None:
    """Write a run's submission; equal predictions give equal bytes.

    Ignored pixels are not removed from the masks, since the organisers' scorers handle them. Instance maps, in which
    objects cannot overlap, follow the rule `score.overlap`; detections follow the rule `score.classes`.

    Args:
        name: Name of the run.
        run: The run's section of params.yaml.
        dataset: The data set's section of params.yaml.
        root: Folder of the raw data, for the list of images and classes.
        predictions_path: The prediction file.
        folder: Folder of the submission; an earlier submission there is replaced.
        split: Expected split of the predictions; None accepts any.

    Raises:
        UserError: The predictions are missing or malformed, or belong to another run, data set, split or
            checkpoint, or have other images, sizes or classes; or `folder` contains other files or cannot be written.
    """
    check_replaceable(folder, "submit")  # before minutes of work
    predictions = read_predictions(predictions_path)
    own = split in (None, run.predict.split)
    Origin(name, run.dataset, split, own, paths.model_file(name)).check(predictions_path, predictions)
    truth = load_ground_truth(dataset, root, predictions.split)
    check_images(predictions_path, predictions, truth, dataset.skip_bad)
    if not isinstance(dataset, CvpppDataset) or dataset.splits[predictions.split].labels:
        check_sizes(predictions_path, predictions, truth)
    match dataset:
        case CvpppDataset():
            _refuse_known(name, predictions_path, predictions, dataset)
            _write_cvppp(predictions, folder, dataset.splits[predictions.split].folder, run.score)
        case CityscapesDataset():
            from rsis.submit.cityscapes import write_cityscapes_submission  # its package is optional

            write_cityscapes_submission(predictions, folder, run.score)
        case CocoDataset():
            image_ids, categories = _coco_ids(root, dataset.splits[predictions.split])
            # a class of train that this split's file does not list has no id there
            category_ids = [categories.get(class_name) for class_name in predictions.class_names]
            _write_results(predictions, folder, run.score, image_ids, category_ids)
        case VocDataset() | MapsDataset() | MasksDataset() | ExportDataset():
            image_names = {image.image_id: image.image_id for image in predictions.images}
            category_ids = [truth.class_names.index(class_name) + 1 for class_name in predictions.class_names]
            _write_results(predictions, folder, run.score, image_names, category_ids)
        case _:
            assert_never(dataset)


def _refuse_known(name: str, path: Path, predictions: PredictionFile, dataset: CvpppDataset) -> None:
    """Raise UserError for plants with public annotations if the data set has a split that the organisers score."""
    secret = [split for split, section in dataset.splits.items() if not section.labels]
    if secret and predictions.split not in secret:
        raise UserError(
            f"{path}: predictions of split {predictions.split}, whose truth is known; the organisers score "
            f"{secret[0]}: run `rsis predict {name} --split {secret[0]}`, then `rsis submit {name} --split {secret[0]}`"
        )


def _write_cvppp(predictions: PredictionFile, folder: Path, split_folder: str, rules: ScoreSection) -> None:
    with atomic_folder(folder, "submit") as temporary:
        maps = ((image.image_id, instance_map_of(image, rules.overlap)) for image in predictions.images)
        write_lsc_submission(temporary, Path(split_folder).name, maps)


def _coco_ids(root: Path, split: CocoSplit) -> tuple[dict[str, int | str], dict[str, int | str]]:
    """Return the annotation file's image id by file name, and its category id by name."""
    path = root / split.annotations
    document = parse_file(path)
    image_ids: dict[str, int | str] = {}
    for picture in document.images:
        image_ids.setdefault(picture.file_name, picture.id)  # of a picture that is listed twice the first id counts
    return image_ids, {category.name: category.id for category in classes_of_file(path, document)}


def _write_results(
    predictions: PredictionFile,
    folder: Path,
    rules: ScoreSection,
    image_ids: Mapping[str, int | str],
    category_ids: Sequence[int | str | None],
) -> None:
    """Write results.json in the order of the prediction file; `category_ids` has the ids of classes 1..K-1.

    Detections of a class without an id are left out.
    """
    with (
        atomic_folder(folder, "submit") as temporary,
        (temporary / RESULTS_NAME).open("w", encoding="utf-8") as file,
    ):
        file.write("[")
        separator = "\n"
        for image in predictions.images:
            for detection in detections_of(image, rules.classes):
                category_id = category_ids[detection.class_id - 1]
                if category_id is None:
                    continue
                result = {
                    "image_id": image_ids[image.image_id],
                    "category_id": category_id,
                    "segmentation": detection.rle,
                    "score": detection.score,
                }
                file.write(separator + json.dumps(result))
                separator = ",\n"
        file.write("\n]\n")
