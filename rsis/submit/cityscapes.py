"""A submission to the test server of Cityscapes.

It is one folder, to be zipped and uploaded, with a text file and masks for each image.

    aachen_000000_000019.txt       a line for each detection; empty if there are none
    aachen_000000_000019_00.png    mask of the first detection: 8-bit grey, 255 on the object, else 0, original size

A line has the file name of the mask, the label id of the class in the official table, and the confidence:

    aachen_000000_000019_00.png 26 0.8125
"""

import io
import re
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.detections import detections_of
from rsis.eval.scorers.cityscapes import label_ids
from rsis.files.atomic import atomic_folder
from rsis.masks import decode_rle
from rsis.prediction_file import ImagePrediction, PredictionFile

_CITYSCAPES_ID = re.compile(r"[^\s/\\_.][^\s/\\_]*_[0-9]+_[0-9]+")


def write_cityscapes_submission(predictions: PredictionFile, folder: Path, rules: ScoreSection) -> None:
    """Write a submission to the Cityscapes test server.

    Args:
        predictions: Predictions with the classes of Cityscapes.
        folder: Folder of the submission; an earlier submission there is replaced.
        rules: `classes` decides whether a mask counts for each class or for its most probable one.

    Raises:
        UserError: A class or an image name is not one of Cityscapes, `folder` contains other files, or it
            cannot be written.
    """
    labels_of = label_ids(predictions.class_names)
    for image in predictions.images:
        if not _CITYSCAPES_ID.fullmatch(image.image_id):
            raise UserError(
                f"image {image.image_id!r} is not named <city>_<sequence>_<frame>; the Cityscapes server takes "
                "no other; predict a split of Cityscapes"
            )
    with atomic_folder(folder, "submit") as temporary:
        for image in predictions.images:
            _write_cityscapes_image(image, temporary, labels_of, rules)


def _write_cityscapes_image(
    image: ImagePrediction, folder: Path, labels_of: tuple[int, ...], rules: ScoreSection
) -> None:
    @cache
    def png_of(counts: str) -> bytes:
        """Return the PNG bytes of a mask; cached, since detections of different classes may share it."""
        mask = decode_rle({"size": list(image.size), "counts": counts})
        file = io.BytesIO()
        Image.fromarray(mask.astype(np.uint8) * 255).save(file, "png")
        return file.getvalue()

    lines = []
    for number, detection in enumerate(detections_of(image, rules.classes)):
        name = f"{image.image_id}_{number:02d}.png"
        (folder / name).write_bytes(png_of(detection.rle["counts"]))
        lines.append(f"{name} {labels_of[detection.class_id - 1]} {detection.score!r}\n")
    (folder / f"{image.image_id}.txt").write_text("".join(lines), encoding="utf-8")
