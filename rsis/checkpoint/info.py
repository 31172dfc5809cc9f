"""The description in a checkpoint's file (`rsis.checkpoint.file`), read without the weights and without torch.

`rsis status` and `rsis info` need no more, and torch takes longer to import than they take otherwise.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from rsis import __version__
from rsis.config.types import Side
from rsis.data.readers.rules import PLAIN, PictureRules
from rsis.errors import UserError
from rsis.model.imagenet import MEAN, STD

SCHEMA_VERSION = 2
PREPROCESSING: dict[str, Any] = {
    "channels": "RGB",
    "resize": "bilinear, antialiased",
    "mean": list(MEAN),
    "std": list(STD),
}
PREPROCESSING_OF: dict[str, dict[str, Any]] = {
    "imagenet": PREPROCESSING,
    "image": {**PREPROCESSING, "mean": "of the image", "std": "of the image"},
}
_DEEPEST = 10  # levels of lists and mappings in a description
_OPENING = b'{"__metadata__":{"rsis":'


@dataclass(frozen=True)
class CheckpointInfo:
    """The description of a checkpoint, stored in its file.

    Attributes:
        run: Name of the run in params.yaml.
        dataset: Name of its data set.
        class_names: Name of class id i at position i - 1.
        size: (H, W) of the training images; images are resized to it and normalised (`normalize`).
        model: The architecture, fields of `ModelSection`.
        train: Parameters of the training, fields of `TrainSection`; empty if unknown.
        predict: Parameters of the prediction, fields of `PredictSection`.
        metrics: Training and validation metrics of the last epoch.
        key: Digest of everything the training depended on: parameters, data, source code.
        pictures: How the pictures of the training were read; so are new ones.
        preprocessing: Preprocessing of an RGB image: it is resized to `size` with this filter and scaled to 0..1, then
            the mean is subtracted and the result divided by the standard deviation.
        version: Version of this package.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    run: str
    dataset: str
    class_names: Annotated[tuple[str, ...], Field(min_length=1)]
    size: tuple[Side, Side]
    model: dict[str, Any]
    train: dict[str, Any]
    predict: dict[str, Any]
    metrics: dict[str, float]
    key: str
    pictures: PictureRules = PLAIN
    preprocessing: dict[str, Any] = field(default_factory=PREPROCESSING.copy)
    version: str = __version__


def check_own(path: Path) -> None:
    """Check that writing a checkpoint to `path` would not replace a file that this program did not write.

    A file counts as ours if it begins as the files of `save_checkpoint` do, even if it is truncated or of another
    schema version. An empty file may be replaced too, since it holds nothing.

    Raises:
        UserError: There is another kind of file, or a folder, at `path`.
    """
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(8 + len(_OPENING))  # a safetensors file begins with the length of its header, 8 bytes
        if not start or start[8:] == _OPENING:
            return
    if path.exists():
        raise UserError(f"{path}: rsis did not write this, and a training would replace it; move it away, then train")


def read_info(path: Path) -> CheckpointInfo:
    """Read the description of a checkpoint, without its weights.

    Raises:
        UserError: There is no such file, it is not a checkpoint of this program, or its schema version or its
            preprocessing is another one.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint; run `rsis train {path.stem}` first, or correct the path")
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})["rsis"])
            check_plain(header)
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a checkpoint of this program, or truncated; train the run again") from error
    if not isinstance(header, dict) or header.get("schema_version") != SCHEMA_VERSION:
        found = header.get("schema_version") if isinstance(header, dict) else None
        raise UserError(f"{path}: schema version {found}, this program reads {SCHEMA_VERSION}; train the run again")
    model = header.get("model")
    expected = PREPROCESSING_OF.get(model.get("normalization", "imagenet") if isinstance(model, dict) else "")
    if header.get("preprocessing") != expected:
        raise UserError(
            f"{path}: made for images preprocessed as {header.get('preprocessing')}, this program does "
            f"{expected}; use the version of it that the file names ({header.get('version')})"
        )
    del header["schema_version"]
    try:
        return TypeAdapter(CheckpointInfo).validate_python(header)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise UserError(f"{path}: its description is wrong at {where} ({fault['msg']}); train the run again") from error


def check_plain(value: Any, depth: int = 0) -> None:
    """Check a value of JSON that can be printed: not nested too deeply, and its text is Unicode.

    Raises:
        ValueError: It is not.
    """
    if depth > _DEEPEST:
        raise ValueError(f"nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        value.encode()  # fails for half a surrogate pair, which JSON can write
    elif isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            check_plain(item, depth + 1)
