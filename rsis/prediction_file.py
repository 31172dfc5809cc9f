"""The prediction file: the objects that `rsis predict` found in each image of a split, at original resolution.

One JSON document, UTF-8, with one line per image. All keys are required; an unknown key is an error.

    schema_version  3
    dataset         name of the data set in params.yaml
    run             name of the run in params.yaml
    split           "train", "val" or "test"
    checkpoint      SHA-256 of the checkpoint file, hexadecimal
    class_names     names of classes 1..K-1, in that order
    parameters      how the masks were made from the network's output (section `predict` of the run)
    images          one entry for each image of the split, also for an image without an instance:
        image_id    as in the ground truth: "plant001" (CVPPP), the file name (COCO)
        size        [H, W] of the original image, in pixels
        objectness  probability that there is an object, 0..1, at each step that was run, including the steps that
                    ended the sequence
        instances   objects in predicted order:
            rle          mask of that size, COCO's compressed run-length encoding (`rsis.masks.RLE`)
            class_probs  probability of each class, in the order of class_names, 0..1
            objectness   how sure the network is of the object, 0..1: with the paper's decoder the objectness of its
                         step, with the pointer decoder the probability of the cell that the step points at
            step         decoder step that emitted the mask, from 0

The file does not say whether a mask counts once for its most probable class or once for each class: the run's
`score.classes` decides it (see `rsis.eval.detections`). Worked example: a 2 x 3 image with one object in its last
column, and an image without objects.

    {"schema_version": 3, "dataset": "plants", "run": "demo", "split": "test", "checkpoint": "9f86d0...",
     "class_names": ["leaf"], "parameters": {"mask_threshold": 0.5}, "images": [
    {"image_id": "plant001", "size": [2, 3], "objectness": [0.9, 0.2], "instances": [{"rle": {"size": [2, 3],
     "counts": "42"}, "class_probs": [0.5], "objectness": 0.9, "step": 0}]},
    {"image_id": "plant002", "size": [2, 3], "objectness": [0.1], "instances": []}
    ]}
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from rsis.config.types import MOST_STEPS, Count, Fraction, Section, Split
from rsis.errors import UserError
from rsis.files.atomic import atomic_path, read_json
from rsis.masks import RLE, rle_runs

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class InstancePrediction:
    """One predicted object.

    Attributes:
        rle: Mask at the original resolution.
        class_probs: Probability of classes 1..K-1, each 0..1.
        objectness: How sure the network is of the object, 0..1; see the top of the module.
        step: Decoder step that emitted it, from 0.
    """

    rle: RLE
    class_probs: tuple[float, ...]
    objectness: float
    step: int

    @property
    def class_id(self) -> int:
        """The most probable class, 1..K-1; the first one of equally probable classes."""
        return self.class_probs.index(self.class_prob) + 1

    @property
    def class_prob(self) -> float:
        """Probability of the most probable class, 0..1."""
        return max(self.class_probs)


@dataclass(frozen=True)
class ImagePrediction:
    """The predicted objects of one image.

    Attributes:
        image_id: As in the ground truth.
        size: (H, W) of the original image, in pixels.
        instances: Objects in predicted order, perhaps none.
        objectness: Probability that there is an object at each step that was run, 0..1.
    """

    image_id: str
    size: tuple[int, int]
    instances: tuple[InstancePrediction, ...]
    objectness: tuple[float, ...] = ()


@dataclass(frozen=True)
class PredictionFile:
    """The content of a prediction file; the top of the module documents each field."""

    dataset: str
    run: str
    split: Split
    checkpoint: str
    class_names: tuple[str, ...]
    parameters: dict[str, Any]
    images: tuple[ImagePrediction, ...]


def write_predictions(path: Path, file: PredictionFile, images: Iterable[ImagePrediction] | None = None) -> None:
    """Write a prediction file; equal content gives equal bytes.

    Args:
        path: The file to write.
        file: The content.
        images: Written in place of `file.images`. They are taken one at a time, so that few are in memory.

    Raises:
        UserError: A probability is not finite (the training diverged), or `path` cannot be written.
    """
    header = {
        "schema_version": SCHEMA_VERSION,
        "dataset": file.dataset,
        "run": file.run,
        "split": file.split,
        "checkpoint": file.checkpoint,
        "class_names": list(file.class_names),
        "parameters": file.parameters,
    }
    opening = json.dumps(header, sort_keys=True, allow_nan=False).removesuffix("}")
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(opening + ', "images": [')
        for number, image in enumerate(file.images if images is None else images):
            stream.write(",\n" if number else "\n")
            stream.write(json.dumps(_image_as_json(path, image), allow_nan=False))
        stream.write("\n]}\n")


def read_predictions(path: Path) -> PredictionFile:
    """Read and check a prediction file.

    Raises:
        UserError: The file is missing, is not JSON, has another schema version or other keys; two images
            share an id; a probability, the number of probabilities or a mask does not fit the format.
    """
    document = read_json(path, _File, "run `rsis predict RUN` again")
    seen: set[str] = set()
    for image in document.images:
        if image.image_id in seen:
            raise _wrong(path, f"image {image.image_id!r} is in the file twice; expected once")
        seen.add(image.image_id)
        for number, instance in enumerate(image.instances):
            _check_instance(path, f"image {image.image_id!r}, instance {number}", image, instance, document.class_names)
    return PredictionFile(
        dataset=document.dataset,
        run=document.run,
        split=document.split,
        checkpoint=document.checkpoint,
        class_names=document.class_names,
        parameters=document.parameters,
        images=tuple(image.to_prediction() for image in document.images),
    )


class _Rle(Section):
    size: tuple[Count, Count]
    counts: str

    def to_rle(self) -> RLE:
        return RLE(size=list(self.size), counts=self.counts)


class _Instance(Section):
    rle: _Rle
    class_probs: Annotated[tuple[Fraction, ...], Field(min_length=1)]
    objectness: Fraction
    step: Annotated[int, Field(ge=0, lt=MOST_STEPS)]

    def to_prediction(self) -> InstancePrediction:
        return InstancePrediction(self.rle.to_rle(), self.class_probs, self.objectness, self.step)


class _Image(Section):
    image_id: str
    size: tuple[Count, Count]
    objectness: Annotated[tuple[Fraction, ...], Field(max_length=MOST_STEPS)]
    instances: tuple[_Instance, ...]

    def to_prediction(self) -> ImagePrediction:
        instances = tuple(item.to_prediction() for item in self.instances)
        return ImagePrediction(self.image_id, self.size, instances, self.objectness)


class _File(Section):
    schema_version: Literal[3]  # the first field, so that the error about a file of another version names it
    dataset: str
    run: str
    split: Split
    checkpoint: str
    class_names: tuple[str, ...]
    parameters: dict[str, Any]
    images: tuple[_Image, ...]


def _check_instance(path: Path, where: str, image: _Image, instance: _Instance, class_names: tuple[str, ...]) -> None:
    if len(instance.class_probs) != len(class_names):
        found = f"{len(instance.class_probs)} class_probs"
        raise _wrong(path, f"{where}: has {found}; expected one for each of the {len(class_names)} classes")
    if instance.rle.size != image.size:
        raise _wrong(path, f"{where}: its mask is of size {instance.rle.size}; the image is {image.size}")
    try:
        rle_runs(instance.rle.to_rle())
    except ValueError as error:
        raise _wrong(path, f"{where}: its mask {error}") from error


def _wrong(path: Path, fault: str) -> UserError:
    return UserError(f"{path}: {fault}; run `rsis predict RUN` again")


def _image_as_json(path: Path, image: ImagePrediction) -> dict[str, Any]:
    instances = []
    for item in image.instances:
        if not all(map(math.isfinite, (*item.class_probs, item.objectness))):
            raise UserError(
                f"{path}: not written: {image.image_id}, step {item.step} has class_probs {item.class_probs} and "
                f"objectness {item.objectness}, expected finite ones; the training diverged, lower its learning rate"
            )
        instances.append(
            {
                "rle": {"size": list(item.rle["size"]), "counts": item.rle["counts"]},
                "class_probs": [float(prob) for prob in item.class_probs],
                "objectness": float(item.objectness),
                "step": int(item.step),
            }
        )
    objectness = [float(value) for value in image.objectness]
    if not all(map(math.isfinite, objectness)):
        raise UserError(
            f"{path}: not written: {image.image_id} has objectness {objectness}, expected finite numbers; the training "
            "diverged, lower its learning rate"
        )
    size = [int(n) for n in image.size]
    return {"image_id": image.image_id, "size": size, "objectness": objectness, "instances": instances}
