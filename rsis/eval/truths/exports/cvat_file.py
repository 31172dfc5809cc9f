"""The images of a file "CVAT for images 1.1" and the elements inside of each, in the order of the file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from xml.parsers.expat import ExpatError, ParserCreate

from pydantic import BaseModel, BeforeValidator

from rsis.errors import UserError
from rsis.eval.truths.documents import read_text, validated
from rsis.eval.truths.exports.base import REMEDY
from rsis.eval.truths.fields import UNKNOWN, file_name, side

_IMAGE_DEPTH = 1  # <annotations> <image>


class CvatImage(BaseModel):
    """The attributes of an <image>."""

    name: Annotated[str, BeforeValidator(file_name)]
    height: Annotated[int, BeforeValidator(side)] = UNKNOWN
    width: Annotated[int, BeforeValidator(side)] = UNKNOWN


@dataclass(frozen=True)
class Element:
    """An element inside of an <image>, such as a <polygon>."""

    tag: str
    attributes: dict[str, str]


@dataclass
class _Reading:
    """What has been read so far, and the elements that are open."""

    path: Path
    images: list[tuple[CvatImage, list[Element]]] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        depth = len(self.ahead)
        if depth == 0 and tag != "annotations":
            raise UserError(
                f'{self.path}: begins with <{tag[:60]}>; expected <annotations>; export "CVAT for images 1.1"'
            )
        if depth == _IMAGE_DEPTH and tag == "track":
            raise UserError(
                f'{self.path}: has a <track>, as "CVAT for video" has; expected an <image> for each picture; export '
                '"CVAT for images 1.1" instead'
            )
        if depth == _IMAGE_DEPTH and tag == "image":
            where = f"{self.path}: <image> {len(self.images) + 1}"
            self.images.append((validated(CvatImage, attributes, where, REMEDY), []))
        if depth == _IMAGE_DEPTH + 1 and self.ahead[-1] == "image":
            self.images[-1][1].append(Element(tag, attributes))
        self.ahead.append(tag)

    def end(self, _: str) -> None:
        self.ahead.pop()

    def refuse_type(self, *_: object) -> None:
        raise UserError(f"{self.path}: has a DOCTYPE, whose entities can fill the memory; remove it; {REMEDY}")


def read_cvat(path: Path) -> list[tuple[CvatImage, list[Element]]]:
    """Return each image with the elements inside of it.

    Raises:
        UserError: The file is missing, is no XML, has a DOCTYPE, or is another format of CVAT; or an image has no name,
            or a size that is none.
    """
    reading = _Reading(path)
    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reading.start, reading.end
    parser.StartDoctypeDeclHandler = reading.refuse_type
    try:
        parser.Parse(read_text(path, REMEDY), True)
    except ExpatError as error:
        raise UserError(f"{path}: not valid XML ({error}); {REMEDY}") from error
    return reading.images
