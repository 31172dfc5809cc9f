"""The gallery: test images with input, ground truth and prediction side by side.

The images are the best, the median and the worst by a score of single images (`rsis.report.words.image_scores`), which
the report names. Predicted objects are numbered in the order of their decoder steps. True and predicted objects are
matched one to one, with an IoU of at least 0.5; a true object has the colour and number of its match. An object without
a match is hatched: grey in the ground truth, in its own colour in the prediction.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.pictures import PLAIN, PictureRules, read_picture
from rsis.errors import UserError
from rsis.masks import decode_rle, relabel
from rsis.prediction_file import ImagePrediction
from rsis.report.figures.panel import ReportImage
from rsis.tool.overlay import enlarge, paint

MATCH_IOU = 0.5
JPEG_QUALITY = 82


@dataclass(frozen=True)
class Place:
    """The place of an image among all scored ones.

    Attributes:
        image_id: The image.
        rank: Its position by falling score, from 1.
        name: "best", "median" or "worst"; "" if every image is shown.
        score: Its score, 0..1.
    """

    image_id: str
    rank: int
    name: str
    score: float


@dataclass(frozen=True)
class GalleryItem:
    """The three panels of an image, its numbers of true, predicted and matched objects, and its place."""

    place: Place
    input: ReportImage
    truth: ReportImage
    prediction: ReportImage
    num_true: int
    num_predicted: int
    num_matched: int


def choose(scores: Mapping[str, float], count: int = 6) -> list[Place]:
    """Return the places of at most `count` images: a third each of the best, the median and the worst, best first.

    What remains of `count` is median, so with `count` 1 it is the median image. Images of equal score are ordered by
    their ids. If there are no more than `count` images, all are returned.
    """
    ids = sorted(scores, key=lambda image_id: (-scores[image_id], image_id))
    places = [Place(image_id, rank, "", scores[image_id]) for rank, image_id in enumerate(ids, start=1)]
    if len(places) <= count:
        return places
    ends = count // 3
    middle = count - 2 * ends
    first, last = (len(places) - middle) // 2, len(places) - ends
    groups = (("best", places[:ends]), ("median", places[first : first + middle]), ("worst", places[last:]))
    return [replace(place, name=name) for name, group in groups for place in group]


def emitted_map(prediction: ImagePrediction) -> np.ndarray:
    """Return the instance map of a prediction, int32 [H, W], 0 = background.

    Objects are numbered from 1 in the order of their decoder steps. A step may have an instance for each of several
    classes; the most probable one is taken. A pixel in more than one mask belongs to the object of the earliest step.
    """
    best = {i.step: i for i in sorted(prediction.instances, key=lambda i: i.class_prob)}
    owner = np.zeros(prediction.size, np.int32)
    for number, step in enumerate(sorted(best), start=1):
        owner[(owner == 0) & decode_rle(best[step].rle)] = number
    return owner


def match(target_map: np.ndarray, pred_map: np.ndarray) -> dict[int, int]:
    """Match true with predicted objects one to one, with the largest sum of IoU over pairs of IoU 0.5 or more.

    Args:
        target_map: int [H, W], 0 = background, 1..N consecutive.
        pred_map: int [H, W], 0 = background, other values 1 or more, not necessarily consecutive.

    Returns:
        The value in `pred_map` by the value in `target_map`, for each matched object.
    """
    shape = int(target_map.max(initial=0)) + 1, int(pred_map.max(initial=0)) + 1
    both = np.bincount((target_map.astype(np.int64) * shape[1] + pred_map).ravel(), minlength=shape[0] * shape[1])
    overlap = both.reshape(shape)
    union = overlap.sum(1)[:, None] + overlap.sum(0)[None, :] - overlap
    iou = overlap[1:, 1:] / np.maximum(union[1:, 1:], 1)
    rows, columns = linear_sum_assignment(np.where(iou >= MATCH_IOU, iou, 0), maximize=True)
    return {int(r) + 1: int(c) + 1 for r, c in zip(rows, columns, strict=True) if iou[r, c] >= MATCH_IOU}


@dataclass(frozen=True)
class PictureOnDisk:
    """Where a picture is, and how it is read.

    Attributes:
        path: The file.
        page: Position of its page in a TIFF stack, from 0; None for a file of one picture.
        rules: The data set's rules.
    """

    path: Path
    page: int | None = None
    rules: PictureRules = PLAIN


def gallery_item(
    name: str, place: Place, picture: PictureOnDisk, target_map: np.ndarray, prediction: ImagePrediction
) -> GalleryItem:
    """Draw one image's panels.

    Args:
        name: Start of the pictures' file names.
        place: The place of the image.
        picture: The original image of the benchmark.
        target_map: int [H, W], the true instance map at the image's size, 0 = background; values may have gaps.
        prediction: The prediction for the image, at the same size.

    Raises:
        UserError: The image cannot be read, or the three differ in size.
    """
    image = _read(picture, target_map.shape)
    for what, size in (("prediction", tuple(prediction.size)), ("truth", target_map.shape)):
        if size != (image.height, image.width):
            found = f"is {image.height} x {image.width} pixels but its {what} {size[0]} x {size[1]}"
            raise UserError(f"{picture.path}: {found}; prepare, train and predict again from the same raw data")
    target_map, pred_map = relabel(target_map), emitted_map(prediction)
    pairs = match(target_map, pred_map)
    true_ids, pred_ids = (np.unique(m[m > 0]).tolist() for m in (target_map, pred_map))
    matched = set(pairs.values())
    shown = enlarge(image)
    truth = paint(shown, target_map, {i: pairs.get(i) for i in true_ids}, set(true_ids) - set(pairs))
    predicted = paint(shown, pred_map, {i: i for i in pred_ids}, set(pred_ids) - matched)
    counts = f"{len(true_ids)} true objects" if len(true_ids) != 1 else "1 true object"
    image_id = prediction.image_id
    return GalleryItem(
        place,
        _encode(shown, f"{name}-input.jpg", f"Image {image_id}."),
        _encode(truth, f"{name}-truth.jpg", f"Truth of {image_id}: {counts}, {len(pairs)} of them found."),
        _encode(predicted, f"{name}-prediction.jpg", f"Prediction for {image_id}: {len(pred_ids)} numbered objects."),
        len(true_ids),
        len(pred_ids),
        len(pairs),
    )


def _read(picture: PictureOnDisk, size: tuple[int, ...]) -> Image.Image:
    """Return the picture in the frame of its annotation, which has a size (H, W)."""
    try:
        return Image.fromarray(read_picture(picture.path, picture.rules, picture.page).as_annotated(size))
    except BadSampleError as error:
        raise UserError(f"{error}, or restore the raw data with rsis download") from error


def _encode(image: Image.Image, name: str, alt: str) -> ReportImage:
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return ReportImage(name, file.getvalue(), alt, "", (image.height, image.width))
