"""Ten test images side by side: input, truth, prediction.

The ten are not chosen: they are evenly spaced over the sorted image ids, the first and the last among
them. Objects are numbered in the order the model emitted them; a true object has the colour and number
of the prediction it is matched to, one to one, where their IoU is at least 0.5. An object without such
a partner is hatched: grey in the truth, in its own colour in the prediction.
"""

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment

from rsis.errors import UserError
from rsis.eval.prediction_file import ImagePrediction
from rsis.masks import decode_rle, relabel, resize_map
from rsis.report.panel import Picture

# Paul Tol's muted scheme and three of his vibrant one, ordered so that neighbours in number differ most
# under the common colour-vision deficiencies. From the thirteenth object on, the number tells them apart.
PALETTE = np.array(
    [
        (51, 34, 136), (238, 119, 51), (17, 119, 51), (136, 204, 238), (204, 102, 119), (221, 204, 119),
        (136, 34, 85), (68, 170, 153), (0, 119, 187), (153, 153, 51), (170, 68, 153), (238, 51, 119),
    ]
)  # fmt: skip
GREY = np.array([110, 110, 110])
MATCH_IOU = 0.5
FILL, WASH = 0.55, 0.35  # share of the object's colour; share of white over the grey image
LONG, SHORT = 288, 192  # pixels: the longer side's aim, the shorter side's least
JPEG_QUALITY = 82


@dataclass(frozen=True)
class GalleryItem:
    """One image's three panels, with its counts of objects."""

    image_id: str
    input: Picture
    truth: Picture
    prediction: Picture
    num_true: int
    num_predicted: int
    num_matched: int


def choose(image_ids: Sequence[str], count: int = 10) -> list[str]:
    """Return at most `count` ids, evenly spaced over the sorted ids, the first and the last included."""
    ids = sorted(image_ids)
    if len(ids) <= count:
        return ids
    return [ids[i * (len(ids) - 1) // (count - 1)] for i in range(count)]


def emitted_map(prediction: ImagePrediction) -> np.ndarray:
    """Return int32 [H, W] with the number of the object that owns each pixel, 0 = none.

    Objects are numbered from 1 in the order of their decoder steps; of several classes of one step the
    likeliest stands for it. The earliest object keeps a contested pixel.
    """
    best = {i.step: i for i in sorted(prediction.instances, key=lambda i: i.class_prob)}
    owner = np.zeros(prediction.size, np.int32)
    for number, step in enumerate(sorted(best), start=1):
        owner[(owner == 0) & decode_rle(best[step].rle)] = number
    return owner


def match(target_map: np.ndarray, pred_map: np.ndarray) -> dict[int, int]:
    """Return target label -> predicted label, one to one with the largest sum of IoU, each at least 0.5.

    Args:
        target_map: int [H, W], 0 = background, labels 1..N.
        pred_map: int [H, W], 0 = background, labels of any order, some perhaps absent.
    """
    shape = int(target_map.max(initial=0)) + 1, int(pred_map.max(initial=0)) + 1
    both = np.bincount((target_map.astype(np.int64) * shape[1] + pred_map).ravel(), minlength=shape[0] * shape[1])
    overlap = both.reshape(shape)
    union = overlap.sum(1)[:, None] + overlap.sum(0)[None, :] - overlap
    iou = overlap[1:, 1:] / np.maximum(union[1:, 1:], 1)
    rows, columns = linear_sum_assignment(np.where(iou >= MATCH_IOU, iou, 0), maximize=True)
    return {int(r) + 1: int(c) + 1 for r, c in zip(rows, columns, strict=True) if iou[r, c] >= MATCH_IOU}


def gallery_item(name: str, image_path: Path, target_map: np.ndarray, prediction: ImagePrediction) -> GalleryItem:
    """Draw one image's panels.

    Args:
        name: Start of the pictures' file names.
        image_path: The benchmark's own image.
        target_map: int [H, W], 0 = background, the truth at the image's size; labels may have gaps.
        prediction: What the model emitted, at the same size.

    Raises:
        UserError: The image cannot be read, or the three differ in size.
    """
    image = _read(image_path)
    for what, size in (("prediction", tuple(prediction.size)), ("truth", target_map.shape)):
        if size != (image.height, image.width):
            found = f"is {image.height} x {image.width} pixels but its {what} {size[0]} x {size[1]}"
            raise UserError(f"{image_path}: {found}; prepare, train and predict again from the same raw data")
    target_map, pred_map = relabel(target_map), emitted_map(prediction)
    pairs = match(target_map, pred_map)
    true_ids, pred_ids = (np.unique(m[m > 0]).tolist() for m in (target_map, pred_map))
    matched = set(pairs.values())
    shown = _show(image)
    truth = _panel(shown, target_map, {label: pairs.get(label) for label in true_ids}, set(true_ids) - set(pairs))
    predicted = _panel(shown, pred_map, {label: label for label in pred_ids}, set(pred_ids) - matched)
    counts = f"{len(true_ids)} true objects" if len(true_ids) != 1 else "1 true object"
    image_id = prediction.image_id
    return GalleryItem(
        image_id,
        _encode(shown, f"{name}-input.jpg", f"Image {image_id}."),
        _encode(truth, f"{name}-truth.jpg", f"Truth of {image_id}: {counts}, {len(pairs)} of them found."),
        _encode(predicted, f"{name}-prediction.jpg", f"Prediction for {image_id}: {len(pred_ids)} numbered objects."),
        len(true_ids),
        len(pred_ids),
        len(pairs),
    )


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except OSError as error:
        raise UserError(f"{path}: cannot read this image ({error}); restore the raw data with rsis download") from error


def _show(image: Image.Image) -> Image.Image:
    """Scale an image so that numbers on it can be read: up by Lanczos, by a whole factor where that fits."""
    short, long = sorted(image.size)
    scale = max(SHORT / short, LONG / long)
    scale = float(round(scale)) if scale > 1.5 else scale
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _panel(image: Image.Image, labels: np.ndarray, numbers: dict[int, int | None], hatched: set[int]) -> Image.Image:
    """Paint objects over the washed-out image; `numbers` gives each label its number, None = grey."""
    big = resize_map(labels, (image.height, image.width))
    base = np.asarray(image.convert("L"), float)[..., None].repeat(3, axis=2)
    base = (1 - WASH) * base + WASH * 255
    colors = np.zeros((int(labels.max(initial=0)) + 1, 3))
    for label, number in numbers.items():
        colors[label] = GREY if number is None else PALETTE[(number - 1) % len(PALETTE)]
    color = colors[big]
    rows, columns = np.indices(big.shape)
    stripe = np.isin(big, sorted(hatched)) & ((rows + columns) % 10 < 5)
    share = np.where(big > 0, np.where(stripe, FILL / 3, FILL), 0)[..., None]
    painted = (1 - share) * base + share * color
    edge = _edges(big)
    painted[edge] = 0.75 * color[edge]
    picture = Image.fromarray(painted.round().astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for label, number in numbers.items():
        if number is not None:
            _write_number(draw, big == label, number)
    return picture


def _edges(labels: np.ndarray) -> np.ndarray:
    """Bool [H, W]: the pixels of an object within two of another label or of the border of the image."""
    padded = np.pad(labels, 2)
    height, width = labels.shape
    inner = np.ones(labels.shape, bool)
    for dy, dx in ((0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3)):
        inner &= padded[dy : dy + height, dx : dx + width] == labels
    return (labels > 0) & ~inner


def _write_number(draw: ImageDraw.ImageDraw, mask: np.ndarray, number: int) -> None:
    """Write a number at the point of a mask that is farthest from its edge."""
    if not mask.any():
        return
    distance = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), mask.shape)
    size = int(np.clip(1.3 * distance.max(), 12, 17))
    # Kept inside the image, where a number at the very border would be cut.
    x = float(np.clip(column, size * len(str(number)) / 2, mask.shape[1] - size * len(str(number)) / 2))
    y = float(np.clip(row, size / 2, mask.shape[0] - size / 2))
    draw.text((x, y), str(number), "white", _font(size), "mm", stroke_width=2, stroke_fill=(20, 20, 20))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf"), size)


def _encode(image: Image.Image, name: str, alt: str) -> Picture:
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return Picture(name, file.getvalue(), alt, "", (image.height, image.width))
