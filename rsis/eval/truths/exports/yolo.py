"""The ground truth of YOLO's segmentation text: a label file for each picture, a line for each object.

    images/day1/a.jpg  labels/day1/a.txt         0 0.5 0.25 0.75 0.25 0.75 0.5

A line has the number of the class, then x and y of each point as fractions of the picture's width and height. Four
numbers alone are the centre and the sides of a box. A picture without label file has no objects; to train, one at least
must have a label file.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.documents import read_text
from rsis.eval.truths.drawn import drawing_frame
from rsis.eval.truths.exports.base import REMEDY, Annotation, ExportObject, ExportTruth, on_lost_of
from rsis.eval.truths.exports.folders import Pictures, ending, listed, without_suffix
from rsis.eval.truths.exports.shapes import Outline, Shape, Undrawn

# files that tools put beside the labels
_NO_LABELS = ("classes.txt", "labels.txt", "notes.txt", "train.txt", "val.txt", "test.txt", "readme")
_BOX = 4  # numbers


class YoloTruth(ExportTruth):
    """A split of YOLO's segmentation text; see `ExportTruth` for arguments and errors."""

    def __init__(self, root: Path, dataset: ExportDataset, split: Split) -> None:
        section = dataset.splits[split]
        pictures = Pictures(root / section.images)
        labels = root / section.annotations
        self._labels: dict[str, Path] = {}
        for name in listed(labels, "annotations"):
            if ending(name) != ".txt":
                continue
            found = pictures.of_stem(without_suffix(name))
            self._labels |= dict.fromkeys(found, labels / name)
            if not found and not PurePosixPath(name).name.lower().startswith(_NO_LABELS):
                on_lost_of(dataset)(
                    labels / name,
                    f"{labels / name}: has no picture of its name in {pictures.folder}; add it, or remove the file",
                )
        if split == "train" and pictures.names and not self._labels:
            raise UserError(
                f"{labels}: has no label file that is named like a picture in {pictures.folder}; expected one at "
                "least; correct annotations and images of the split in params.yaml"
            )
        super().__init__(root, dataset, split, {name: pictures.folder / name for name in pictures.names})
        self.refuse_boxes(self._readable())

    def annotation(self, image_id: str) -> Annotation:
        """Return the objects of the picture's label file."""
        size, _ = drawing_frame(self.frame(image_id), None, self._annotated)
        return self._read(image_id, size)

    def _readable(self) -> Iterator[Annotation]:
        """Yield what is annotated, as fractions, in the pictures whose label file can be read."""
        for image_id in self.image_ids:
            try:
                yield self._read(image_id, (1, 1))
            except UserError:  # it is of that picture alone, and raised when it is scored
                continue

    def _read(self, image_id: str, size: tuple[int, int]) -> Annotation:
        path = self._labels.get(image_id)
        if path is None:
            return Annotation(self.image_path(image_id), None, ())
        lines = enumerate(read_text(path, REMEDY).splitlines(), 1)
        objects = tuple(self._object(path, count, line.split(), size) for count, line in lines if line.strip())
        return Annotation(path, None, objects)

    def _object(self, path: Path, line: int, words: list[str], size: tuple[int, int]) -> ExportObject:
        try:
            position, *fractions = map(float, words)
        except ValueError as error:
            raise UserError(
                f"{path}: line {line} has {error.args[0].partition(': ')[2][:60] or 'a word'}; expected numbers; "
                "correct that line"
            ) from error
        names = self.class_names
        if not (0 <= position < len(names) and position.is_integer()):
            raise UserError(
                f"{path}: line {line} is of class {words[0][:60]!r}; expected 0 to {len(names) - 1}; correct it, or "
                "name all classes in classes of the data set in params.yaml"
            )
        shape: Shape = Undrawn(is_box=len(fractions) == _BOX)
        if len(fractions) >= 6 and len(fractions) % 2 == 0:
            shape = Outline(np.array(fractions).reshape(-1, 2) * (size[1], size[0]))
        return ExportObject(f"line {line}", names[int(position)], (shape,))
