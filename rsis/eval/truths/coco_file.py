"""The part of COCO's instance JSON that scoring needs, as pydantic models that accept what has one sensible meaning.

Ids may be numbers or text; 7, 7.0 and "7" are one id (`key_of`). Numbers may be text. Other keys are ignored; `width`,
`height`, `area`, `iscrowd`, `segmentation` and `id` of an annotation are optional.
"""

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from rsis.errors import UserError
from rsis.eval.truths.documents import read_json, shown
from rsis.eval.truths.fields import UNKNOWN, class_name, file_name, is_writable, side

_CROWD = {None: False, 0: False, 1: True, "": False, "0": False, "1": True, "0.0": False, "1.0": True}
_CROWD |= {"false": False, "true": True}


def _id(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not (isinstance(value, int) or is_writable(value)):
        raise ValueError("expected a whole number or text")
    return value


def _crowd(value: Any) -> Any:
    plain = value.strip().lower() if isinstance(value, str) else value
    if isinstance(plain, float) and math.isnan(plain):
        return False
    if isinstance(plain, list | dict) or plain not in _CROWD:
        raise ValueError("expected 0 or 1")
    return _CROWD[plain]


def _area(value: Any) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 < number < math.inf and not isinstance(value, bool) else None


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class CocoImage(_Model):
    """An entry of `images`; `height` and `width` are 0 when the file does not say them."""

    id: Annotated[int | str, BeforeValidator(_id)]
    file_name: Annotated[str, BeforeValidator(file_name)]
    height: Annotated[int, BeforeValidator(side)] = UNKNOWN
    width: Annotated[int, BeforeValidator(side)] = UNKNOWN


class Category(_Model):
    """An entry of `categories`."""

    id: Annotated[int | str, BeforeValidator(_id)]
    name: Annotated[str, BeforeValidator(class_name)]
    supercategory: Any = None


class CocoObject(_Model):
    """An entry of `annotations`: one object, or a crowd region."""

    id: Any = None
    image_id: Annotated[int | str, BeforeValidator(_id)]
    category_id: Annotated[int | str, BeforeValidator(_id)]
    segmentation: Any = None  # read by `rsis.eval.truths.coco_masks`, since a fault in it concerns only its object
    bbox: Any = None
    area: Annotated[float | None, BeforeValidator(_area)] = None  # None: the pixels are counted
    iscrowd: Annotated[bool, BeforeValidator(_crowd)] = False


class CocoFile(_Model):
    """The whole document."""

    images: list[CocoImage]
    categories: list[Category]
    annotations: list[CocoObject]


def key_of(written: int | str) -> str:
    """Return an id as the text by which ids are compared: "7" for 7, "7" and "7.0"."""
    if isinstance(written, int):
        return str(written)
    text = written.strip()
    whole, dot, rest = text.partition(".")
    try:
        is_number = str(int(whole)) == whole and (not dot or (rest != "" and not rest.strip("0")))
    except ValueError:
        return text
    return whole if is_number else text


def parse_file(path: Path) -> CocoFile:
    """Read a file as UTF-8, UTF-16 or UTF-32, with or without byte order mark.

    Raises:
        UserError: The file is missing or unreadable, is no JSON, or a value has no sensible meaning; names the first.
    """
    remedy = "run `rsis download DATASET`, or correct the file or params.yaml"
    content = read_json(path, remedy)
    try:
        return CocoFile.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise UserError(f"{path}: {_place(content, fault['loc'])}{_describe(fault)}; {remedy}") from error


def _place(content: Any, parts: tuple[int | str, ...]) -> str:
    """Return the entry that a fault is in, such as "annotations[17] (id 1018): "; "" for the whole file."""
    if len(parts) < 2:
        return ""
    entry = content[parts[0]][parts[1]]
    name = entry.get("id") if isinstance(entry, dict) else None
    named = f" (id {ascii(name)[:40]})" if isinstance(name, int | float | str) else ""
    return f"{parts[0]}[{parts[1]}]{named}: "


def _describe(fault: Any) -> str:
    parts, value = fault["loc"], fault["input"]
    key = str(parts[2] if len(parts) > 2 else parts[0] if len(parts) == 1 else "it")
    if fault["type"] == "missing":
        return f"{key} is missing"
    return f"{key} is {shown(value)}, but {fault['msg'].removeprefix('Value error, ')}"
