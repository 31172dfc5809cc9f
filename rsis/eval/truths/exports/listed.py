"""What is common to the truths of annotation tools that have one file for all pictures."""

from collections.abc import Iterable
from pathlib import Path

from rsis.config.datasets import ExportDataset
from rsis.config.types import Split
from rsis.errors import UserError
from rsis.eval.truths.exports.base import REMEDY, Annotation, ExportTruth, id_of, on_lost_of
from rsis.splits.own import OnLost
from rsis.splits.pictures import PictureFiles


class ListedTruth(ExportTruth):
    """A truth whose single file lists the pictures.

    Args:
        root: Folder of the raw data.
        dataset: The data set's section of params.yaml.
        split: Name of the split.
        listed: What is annotated in each picture, with the name that the file gives it, in the order of the file.

    Raises:
        UserError: See `ExportTruth`; besides, a picture is missing or is listed twice.
    """

    def __init__(
        self, root: Path, dataset: ExportDataset, split: Split, listed: Iterable[tuple[str, Annotation]]
    ) -> None:
        section = dataset.splits[split]
        files = PictureFiles(root / section.images)
        pictures: dict[str, Path] = {}
        self._found: dict[str, Annotation] = {}
        for name, annotation in listed:
            picture = find_picture(files, name, annotation.path, on_lost_of(dataset))
            if picture is None:
                continue
            image_id = id_of(picture, files.folder)
            if image_id in pictures:
                raise UserError(f"{annotation.path}: lists the picture {image_id} twice; expected it once; {REMEDY}")
            pictures[image_id], self._found[image_id] = picture, annotation
        super().__init__(root, dataset, split, pictures)
        self._found = {image_id: self._found[image_id] for image_id in self.image_ids}
        self.refuse_boxes(self._found.values())
        for annotation in self._found.values():
            for item in annotation.objects:
                self.class_of(annotation.path, item)

    def annotation(self, image_id: str) -> Annotation:
        """Return what is annotated in an image."""
        return self._found[image_id]


def find_picture(files: PictureFiles, name: str, listed_in: Path, on_lost: OnLost) -> Path | None:
    """Return the picture of a name in an annotation file; None if it is left out.

    Args:
        files: The pictures.
        name: As written.
        listed_in: The annotation file.
        on_lost: Called if there is no such picture, or several.
    """
    found = files.find(name)
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} pictures of that name" if found else "no such picture"
    on_lost(
        files.folder / name,
        f"{listed_in}: names {name!r}; found {what} in {files.folder}; expected one; correct images of the split, or "
        "the name",
    )
    return None
