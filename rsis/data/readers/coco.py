"""Reader of COCO instance JSON: one annotation file and a folder of images.

    {"images": [{"id": 1, "file_name": "a.png", "width": 360, "height": 256}],
     "categories": [{"id": 7, "name": "nucleus"}],
     "annotations": [{"image_id": 1, "category_id": 7, "iscrowd": 0, "segmentation": ...}]}

`rsis.data.readers.coco_document` says which values are accepted, `rsis.data.readers.coco_shapes` which segmentations,
and `rsis.splits.pictures` how a file name finds its picture. Other keys are not read.

`rsis.data.readers.outline_reader` paints the objects. Regions with `iscrowd` are not objects, unless the data set says
so; their pixels outside of objects are ignored. Class ids are 1..K-1 in the order of the categories' ids, in val and
test those of the classes of train with the same names.
"""

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Literal
from unicodedata import normalize

from rsis.data.readers.base import OnMissing, refuse
from rsis.data.readers.coco_document import Annotation, CocoDocument, read_document
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotatedPicture, AnnotationDocument, OutlineReader
from rsis.data.readers.pictures import PLAIN, PictureRules
from rsis.errors import UserError
from rsis.splits.pictures import PictureFiles, is_inside
from rsis.splits.share import WHOLE, SharedSplit, select_share

_SHOWN = 5  # most classes that a message names


class CocoReader(OutlineReader):
    """Reader of one annotation file; an image id is the `file_name` in that file.

    Attributes:
        class_names: Names of the categories, in the order of their ids.
        image_ids: Sorted, including the images without annotations.
        notes: A line for each thing of the file that was left out, merged or found in another place.

    Args:
        annotations: The JSON file.
        images: Folder that its file names are relative to.
        on_missing: Called for each image whose file is missing; the default raises.
        share: Share of the images to read; the default is all.
        rules: How to read the pictures.
        classes_of: Annotation file whose categories are the classes; None for those of `annotations`.
        crowd: Whether annotations with `iscrowd` are ignored regions or objects.

    Raises:
        UserError: The JSON file is missing or has no sensible meaning (see `read_document`), lists an image whose file
            is missing, or annotates a class that `classes_of` does not have.
    """

    def __init__(
        self,
        annotations: Path,
        images: Path,
        on_missing: OnMissing = refuse,
        share: SharedSplit = WHOLE,
        rules: PictureRules = PLAIN,
        *,
        classes_of: Path | None = None,
        crowd: Literal["ignore", "object"] = "ignore",
    ) -> None:
        document = read_document(annotations)
        reference = document if classes_of is None else read_document(classes_of)
        class_of = _class_ids(document, reference)
        moved, missing, notes = _find_pictures(document, images)
        for name, message in missing.items():
            on_missing(images / (name if is_inside(name) else PurePosixPath(name).name), message)
        pictures = {
            name: AnnotatedPicture(
                [_object(item, class_of, crowd) for item in document.annotations[name]],
                size,
                picture=moved.get(name),
            )
            for name, size in document.sizes.items()
        }
        names = tuple(reference.categories.values())
        chosen = [name for name in select_share(document.sizes, share, annotations) if name not in missing]
        super().__init__(
            AnnotationDocument(annotations, images, names, pictures, [*document.notes, *notes]), chosen, rules
        )


def _object(item: Annotation, class_of: dict[str, int], crowd: str) -> AnnotatedObject:
    is_region = item.is_crowd and crowd == "ignore"
    return AnnotatedObject(item.where, class_of[item.category], item.outline, is_region)


def _class_ids(document: CocoDocument, reference: CocoDocument) -> dict[str, int]:
    """Return the class id of each category id, by the names of the reference.

    Raises:
        UserError: An annotation has a class that the reference lacks. It can never be found, since no network of this
            data set knows the class; to leave it out would flatter the scores.
    """
    class_of_name = {name: number for number, name in enumerate(reference.categories.values(), start=1)}
    used = Counter(item.category for items in document.annotations.values() for item in items)
    unknown = {
        name: used[category]
        for category, name in document.categories.items()
        if name not in class_of_name and used[category]
    }
    if unknown:
        shown = ", ".join(f"{number} of {name!r}" for name, number in list(unknown.items())[:_SHOWN])
        known = ", ".join(map(repr, list(class_of_name)[:_SHOWN])) + (", ..." if len(class_of_name) > _SHOWN else "")
        raise UserError(
            f"{document.path}: has objects of classes that {reference.path} does not list ({shown}; listed: {known}); "
            "give them the names listed there, remove their annotations, or add the classes to its categories"
        )
    return {category: class_of_name.get(name, 0) for category, name in document.categories.items()}


def _find_pictures(document: CocoDocument, images: Path) -> tuple[dict[str, Path], dict[str, str], list[str]]:
    """Find the picture of each image.

    Returns:
        The paths that differ from the file name; a message for each image without a picture of its own; notes.
    """
    files = PictureFiles(images)
    found = {name: files.find(name) for name in document.sizes}
    names: dict[Path, list[str]] = {}
    for name, paths in found.items():
        names.setdefault(paths[0], []).append(name) if len(paths) == 1 else None
    moved, missing = {}, {}
    for name, paths in found.items():
        place, written = f"{document.path}: {document.places[name]}", images / name
        if not paths:
            missing[name] = f"{written}: no such file, but {place} lists it; add it or remove the entry"
        elif len(paths) > 1:
            shown = " or ".join(path.relative_to(images).as_posix() for path in paths[:3])
            missing[name] = (
                f"{place}: file_name {name!r} could be {shown} in {images}; write which, or remove the entry"
            )
        elif len(names[paths[0]]) > 1 and paths[0] != written:
            other = next(item for item in names[paths[0]] if item != name)
            missing[name] = (
                f"{place}: file_name {name!r} is found as {paths[0]}, which is {other!r} too; add its own picture or "
                "remove the entry"
            )
        elif paths[0] != written:
            moved[name] = paths[0]
    # a name that differs in the Unicode form of its accents looks the same
    odd = [name for name in moved if normalize("NFC", str(moved[name])) != normalize("NFC", str(images / name))]
    if not odd:
        return moved, missing, []
    shown = f"the first: {odd[0]!r} is {moved[odd[0]].relative_to(images).as_posix()}"
    note = f"{document.path}: {len(odd)} of {len(found)} pictures have another path than it says ({shown})"
    return moved, missing, [note]
