"""YOLO's outlines: text files named like the pictures, in the layouts of Ultralytics, Roboflow and Darknet.

data.yaml  images/train/a.jpg  labels/train/a.txt       data.yaml  train/images/a.jpg  train/labels/a.txt
classes.txt  images/a.jpg  labels/a.txt                 obj.names  obj_train_data/a.jpg  obj_train_data/a.txt
"""

from pathlib import Path, PurePosixPath

from rsis.errors import UserError
from rsis.own_data.divide import Section, divide
from rsis.own_data.facts import AnnotationFile
from rsis.own_data.labels_of_pictures import groups_of
from rsis.own_data.picture_folders import folder_of_stems
from rsis.own_data.recognized import Recognized
from rsis.own_data.scan import Scan
from rsis.own_data.yolo_names import Description, find_description

_LISTS = ("train.txt", "val.txt", "valid.txt", "test.txt")


def boxes_of(seen: Scan) -> tuple[int, int]:
    """Return how many annotations of YOLO's labels are boxes, and how many there are."""
    facts = [item.facts for item in seen.of("yolo")]
    return sum(item.boxes for item in facts), sum(item.objects for item in facts)


def find_yolo(seen: Scan) -> Recognized | None:
    """Recognise YOLO's labels with outlines; labels of boxes alone are not taken.

    Raises:
        UserError: The pictures are not there, or the names of the classes are of no use.
    """
    boxes, whole = boxes_of(seen)
    if boxes == whole:
        return None
    about = find_description(seen)
    if about.key_points:
        raise UserError(
            f"{seen.folder / about.path}: has kpt_shape, so that the labels are key points; expected outlines; export "
            "for segmentation"
        )
    sections = _sections_of_yaml(seen, about) or _sections_of_folders(seen)
    splits = divide(seen.folder, sections, lambda section: _pictures_in(seen, section["images"]))
    places = dict.fromkeys(f"{section['images']} and {section['annotations']}" for section in splits.values())
    return Recognized(
        form=f"pictures and YOLO labels: {', '.join(places)}",
        format="yolo",
        splits=splits,
        left_out=tuple(_notes(seen, about, splits)),
        keys={"classes": _classes(seen, about)},
    )


def _sections_of_folders(seen: Scan) -> dict[str, Section]:
    sections = {}
    for split, (place, files) in groups_of(seen, seen.of("yolo")).items():
        stems = [PurePosixPath(item.path).relative_to(place.as_posix()).with_suffix("").as_posix() for item in files]
        images = folder_of_stems(seen, place, stems, split)
        sections[split] = {"annotations": place.as_posix(), "images": images}
    return sections


def _sections_of_yaml(seen: Scan, about: Description) -> dict[str, Section]:
    """Return the splits that the YAML file names; none if one of its folders is not there or has no labels.

    A folder that is both train and val, as in examples, is one set.
    """
    sections: dict[str, Section] = {}
    for split, images in about.folders.items():
        own = [item for item in seen.of("yolo") if (folder := _labels_for(seen, item, images)) is not None]
        if not own and split != "train" and _pictures_in(seen, images):
            empty = next((path for path in _label_folders(images) if (seen.folder / path).is_dir()), None)
            if empty is not None:  # of pictures without objects
                sections[split] = {"annotations": empty.as_posix(), "images": images}
                continue
        nested = any(images != other and Path(images) in Path(other).parents for other in about.folders.values())
        if not own or nested:
            return {}
        folder = _labels_for(seen, own[0], images)
        assert folder is not None
        if all(section["images"] != images for section in sections.values()):
            sections[split] = {"annotations": folder.as_posix(), "images": images}
    return sections


def _labels_for(seen: Scan, item: AnnotationFile, images: str) -> Path | None:
    """Return the folder of labels that belongs to a folder of pictures, if this label file is one of a picture in it.

    It has "labels" where the folder of the pictures has "images", or it is that folder.
    """
    for folder in (*_label_folders(images), Path(images)):
        path = PurePosixPath(item.path)
        if path.is_relative_to(folder.as_posix()):
            stem = path.relative_to(folder.as_posix()).with_suffix("")
            if seen.has_picture((PurePosixPath(images) / stem).as_posix()):
                return folder
    return None


def _label_folders(images: str) -> list[Path]:
    """Return the folder of pictures with "labels" for "images", the last of them first."""
    parts = Path(images).parts
    changed = [Path(*parts[:i], "labels", *parts[i + 1 :]) for i, part in enumerate(parts) if part.lower() == "images"]
    return changed[::-1]


def _pictures_in(seen: Scan, images: str) -> int:
    return sum(images == "." or path.startswith(f"{images}/") for path in seen.pictures)


def _classes(seen: Scan, about: Description) -> tuple[str, ...]:
    """Return the names of the classes, in the order of their numbers; class0 and so on for those without a name."""
    numbers = {name for item in seen.of("yolo") for name in item.facts.classes}
    highest = max((int(float(name)) for name in numbers if _is_number(name)), default=0)
    if about.names:
        return about.names
    return tuple(f"class{number}" for number in range(max(about.count, highest + 1)))


def _is_number(text: str) -> bool:
    try:
        return 0 <= float(text) < 10_000
    except ValueError:
        return False


def _notes(seen: Scan, about: Description, splits: dict[str, Section]) -> list[str]:
    boxes, whole = boxes_of(seen)
    notes = [f"{boxes} of {whole} YOLO labels are boxes without outlines: they are no objects"] if boxes else []
    if not about.names:
        notes.append("no file names the classes (data.yaml, classes.txt): they are called class0, class1, ...")
    used = {section["images"] for section in splits.values()}
    for images in about.folders.values():
        if images not in used and not any(path == "." or images.startswith(f"{path}/") for path in used):
            number = _pictures_in(seen, images)
            notes += [f"{images}: left out, its {number} pictures have no folder of labels"] if number else []
    lists = [path for path in seen.files if PurePosixPath(path).name in _LISTS]
    one_folder = len({section["images"] for section in splits.values()}) == 1
    if len(lists) > 1 and one_folder:
        notes.append(
            f"{', '.join(lists[:3])}: lists of pictures are not used, the pictures are divided by shares; to have "
            "them as splits, put the pictures into folders train, val and test"
        )
    return notes
