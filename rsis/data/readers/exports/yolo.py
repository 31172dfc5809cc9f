"""YOLO's text files of segmentations: a file for each picture, a line for each object.

    images/day1/a.png  labels/day1/a.txt      0 0.31 0.20 0.45 0.20 0.38 0.41

A line has the number of the class, from 0, then x and y of each corner as fractions of the picture's width and height.
A line of four numbers is a box. A picture without a file has no objects; so may all pictures that do not train.
"""

from pathlib import PurePosixPath

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.exports.shapes import polygon, to_whole
from rsis.data.readers.exports.source import Classes, Gathered, Source, without_suffix
from rsis.data.readers.json_values import show
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotatedPicture, AnnotationDocument
from rsis.data.readers.outlines import BOX, Outline, not_drawn
from rsis.data.readers.texts import read_text
from rsis.errors import UserError

_NOT_LABELS = {"classes.txt", "labels.txt", "notes.txt", "train.txt", "val.txt", "test.txt"}


def read_yolo(source: Source) -> AnnotationDocument:
    """Read the labels of all pictures; raise UserError for faults of the data set, see `Gathered.document`."""
    gathered = Gathered(source)
    files = {without_suffix(path): path for path in source.files(".txt")}
    stems = {without_suffix(picture) for picture in source.pictures}
    if not files.keys() & stems:
        found = f"{source.annotations}: has no label file of a picture in {source.images}"
        if source.trains:
            raise UserError(f"{found}; expected a.txt for a.png; correct the split's paths")
        gathered.notes.append(f"{found}: none of them has an object; if they are not annotated, remove the split")
    for picture in source.pictures:
        file = files.get(without_suffix(picture))
        annotated = AnnotatedPicture() if file is None else _read_file(source, file)
        gathered.add(picture, annotated, f"{source.annotations}: {file}")
    for stem, file in files.items():
        if stem not in stems and not _is_other(PurePosixPath(file).name.lower()):
            path = source.annotations / file
            message = f"{path}: has no picture of that name in {source.images}; add it, or remove the label file"
            source.on_missing(path, message)
    return gathered.document()


def _is_other(name: str) -> bool:
    """Return whether a text file, of this name in lower case, is one that tools put beside the labels."""
    return name in _NOT_LABELS or name.startswith("readme")


def _read_file(source: Source, file: str) -> AnnotatedPicture:
    path = source.annotations / file
    objects: list[AnnotatedObject] = []
    try:
        for number, line in enumerate(read_text(path, "YOLO labels", BadSampleError).splitlines(), start=1):
            if fields := line.split():
                class_id = _class_id(fields[0], source.classes, f"{path}: line {number}")
                objects.append(
                    AnnotatedObject(f"line {number}", class_id, _outline(fields[1:], f"{path}: line {number}"))
                )
    except BadSampleError as error:
        return AnnotatedPicture(file=file, fault=str(error))
    return AnnotatedPicture(objects, file=file)


def _class_id(text: str, classes: Classes, where: str) -> int:
    number, last = to_whole(text), len(classes.names) - 1
    if number is None or not 0 <= number <= last:
        raise UserError(
            f"{where}: has the class {show(text)}; expected a number from 0 to {last} ({classes.known}); "
            "correct it, or add the class to classes of the data set"
        )
    return number + 1


def _outline(fields: list[str], where: str) -> Outline:
    numbers = []
    for field in fields:
        try:
            numbers.append(float(field))
        except ValueError as error:
            raise BadSampleError(
                f"{where}: {show(field)} is no number; expected x and y of each corner; correct it"
            ) from error
    if len(numbers) == 4:
        return BOX
    if len(numbers) % 2:
        return not_drawn("a polygon that is no list of x, y pairs")
    return polygon(numbers, fractions=True)
