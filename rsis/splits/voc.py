"""The images of a split of Pascal VOC and of sbdataset, the Semantic Boundaries Dataset.

The reader of the training data and the truth of the scorers both use this list of images, since it is part of the
protocol. They read the content of the images independently of each other. An image list is a text file with one image
id per line:

    ImageSets/Segmentation/val.txt of VOC, train.txt or val.txt of sbdataset
        2007_000033
        2007_000042

Other tools write lists with more around the id. It is read where only one image can be meant:

        2007_000033.jpg
        JPEGImages/2007_000033.jpg SegmentationClass/2007_000033.png
        2007_000033  1

The last is a list of a class, in which 1 says that the image has it. With the flags -1 and 0 it is refused.
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rsis.config.datasets import VocDataset, VocSplit
from rsis.errors import UserError
from rsis.splits.share import select_share

_ID = re.compile(r"(?!\.+$)[\w.()+-]+")
_SUFFIX = re.compile(r"\.(jpe?g|png|xml|bmp|tiff?)$", re.IGNORECASE)


@dataclass(frozen=True)
class SplitImages:
    """The images of a split.

    Attributes:
        ids: Image ids, sorted and unique.
        in_voc: The ids that come from VOC's image sets; VOC must have annotated these images.
    """

    ids: tuple[str, ...]
    in_voc: frozenset[str]


def split_images(root: Path, dataset: VocDataset, split: VocSplit) -> SplitImages:
    """Read the image lists of a split and select its share of the images.

    The images are the union of the lists `split.image_sets` and `split.sbdataset`, without those in the lists
    `split.exclude`. `rsis.splits.share` defines the share.

    Args:
        root: Folder that the paths of the data set are relative to.
        dataset: The folders of VOC and sbdataset.
        split: The lists and the share.

    Raises:
        UserError: A folder or a list is missing, a list is empty or has a line that is no image id, the split
            names lists of sbdataset but the data set has no sbdataset, or no image is left.
    """
    voc = _folder(root / dataset.voc, "voc")
    in_voc = _read_sets(voc, split.image_sets)
    ids = in_voc | _read_sbdataset(root, dataset, split)
    ids -= _read_sets(voc, split.exclude)
    if not ids:
        excluded = ", ".join(split.exclude)
        raise UserError(f"{voc}: no image is left outside of {excluded}; correct exclude of the split in params.yaml")
    chosen = select_share(ids, split, voc)
    return SplitImages(chosen, frozenset(in_voc.intersection(chosen)))


def _read_sbdataset(root: Path, dataset: VocDataset, split: VocSplit) -> set[str]:
    if not split.sbdataset:
        return set()
    if dataset.sbdataset is None:
        lists = ", ".join(split.sbdataset)
        raise UserError(
            f"params.yaml: a split takes {lists} of sbdataset, but the data set's sbdataset is null; "
            "give its folder there, or take the lists out of the split"
        )
    folder = _folder(root / dataset.sbdataset, "sbdataset")
    return _read_lists(folder / f"{name}.txt" for name in split.sbdataset)


def _read_sets(voc: Path, names: tuple[str, ...]) -> set[str]:
    return _read_lists(voc / "ImageSets" / "Segmentation" / f"{name}.txt" for name in names)


def _read_lists(paths: Iterable[Path]) -> set[str]:
    ids: set[str] = set()
    for path in paths:
        ids |= _read_list(path)
    return ids


def _read_list(path: Path) -> set[str]:
    try:
        content = path.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        lines = content.decode("utf-16" if wide else "utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such image list; run `rsis download DATASET`, or correct the split in params.yaml"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror}); make it readable") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not text, expected one image id a line; restore the file") from error
    written: dict[str, str] = {}  # the first word of each id's line
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        image_id = _id_of(words)
        if image_id is None or written.setdefault(image_id, words[0]) != words[0]:
            fault = "of an image that an earlier line names otherwise" if image_id else _fault_of(words)
            raise UserError(f"{path}: line {number} is {line.strip()[:60]!r}, {fault}; correct the line")
    if not written:
        raise UserError(f"{path}: no image id in it, expected one a line; restore the file")
    return set(written)


def _id_of(words: list[str]) -> str | None:
    """Return the one image that a line means, or None if it means none or leaves a choice."""
    first, *others = (_stem(word) for word in words)
    unambiguous = words[1:] == ["1"] or all(other == first for other in others)
    return first if unambiguous and _ID.fullmatch(first) else None


def _stem(word: str) -> str:
    """Return the last part of a path, without the suffix of a picture; "" for a path that leads upwards."""
    parts = re.split(r"[/\\]", word)
    return "" if ".." in parts else _SUFFIX.sub("", parts[-1])


def _fault_of(words: list[str]) -> str:
    if words[1:] in (["-1"], ["0"]):
        return (
            "from a list of a class, where -1 says that the image has none of it and 0 that it is hard to see; "
            "expected a list of images without flags, such as ImageSets/Segmentation/train.txt"
        )
    if len(words) == 2 and "." in words[0] and "." in words[1]:
        return "expected equal names of picture and annotation"
    return "expected one image id such as 2007_000032"


def _folder(path: Path, key: str) -> Path:
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; run `rsis download DATASET`, or correct {key} in params.yaml")
    return path
