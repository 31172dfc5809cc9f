"""The truth of Cityscapes, from its `gtFine` tree; pictures are not needed.

`gtFine/<split>/<city>/<image_id>_gtFine_instanceIds.png` has one number a pixel: a label id of the official
table, or 1000 times a label id plus a counter, one for each object. Where `disparity` and `camera` stand
beside `gtFine`, the distance of each pixel is known too.
"""

from pathlib import Path

import numpy as np
from cityscapesscripts.helpers.labels import labels

from rsis.config.datasets import CityscapesSplit
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth, TrueObject
from rsis.eval.truths.images import read_image, size_of
from rsis.files.atomic import read_json
from rsis.masks import encode_labels

LABEL_IDS: dict[str, int] = {item.name: item.id for item in labels if item.hasInstances and not item.ignoreInEval}
"""Label id of each class that is evaluated, in the order of the classes."""

_SUFFIX = "_gtFine_instanceIds.png"
_RESTORE = "restore it from the original data, or take the image out of the folder"


def _table(chosen: list[int]) -> np.ndarray:
    """Return bool [34000], true at these numbers."""
    table = np.zeros(34000, bool)
    table[chosen] = True
    return table


def _counters(label_id: int) -> list[int]:
    return list(range(1000 * label_id, 1000 * label_id + 1000))


_OBJECTS = _table([number for label_id in LABEL_IDS.values() for number in _counters(label_id)])
_GROUPS = _table(list(LABEL_IDS.values()))
_VOID = _table([item.id for item in labels if item.ignoreInEval and item.id >= 0]) | _table(
    [number for item in labels if item.ignoreInEval and item.hasInstances for number in _counters(item.id)]
)
_KNOWN = _OBJECTS | _VOID | _table([item.id for item in labels if item.id >= 0])


class CityscapesTruth(GroundTruth):
    """A split of Cityscapes; images are named "<city>_<sequence>_<frame>" and sorted by name.

    Attributes:
        has_distances: Whether `disparity` and `camera` are there for this split.
    """

    def __init__(self, root: Path, split: CityscapesSplit) -> None:
        self._root, self._split = root, split.folder
        folder = root / "gtFine" / split.folder
        paths = [path for path in folder.glob(f"*/*{_SUFFIX}") if not path.name.startswith(".")]
        self._cities = {path.name.removesuffix(_SUFFIX): path.parent.name for path in paths}
        if not paths or len(paths) > len(self._cities):
            raise UserError(
                f"{folder}: has {len(paths)} files <city>/*{_SUFFIX} of {len(self._cities)} images; expected one an "
                "image and at least one; run `rsis download DATASET`, or correct the split's folder in params.yaml"
            )
        self.has_distances = all((root / kind / split.folder).is_dir() for kind in ("disparity", "camera"))
        super().__init__(sorted(self._cities), list(LABEL_IDS))

    def image_path(self, image_id: str) -> Path:
        """Return the path of `<id>_leftImg8bit.png`."""
        return self._path("leftImg8bit", image_id, "_leftImg8bit.png")

    def size(self, image_id: str) -> tuple[int, int]:
        """Return (H, W) as the header of the annotation says."""
        return size_of(self._path("gtFine", image_id, _SUFFIX), _RESTORE)

    def instance_ids(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the annotation's numbers as they stand in the file.

        Raises:
            UserError: The file is damaged, is not 16-bit grey, or has a number that no label allows.
        """
        path = self._path("gtFine", image_id, _SUFFIX)
        image = read_image(path, _RESTORE)
        if image.mode != "I" and not image.mode.startswith("I;16"):
            loss = ": a conversion lost the objects' numbers" if image.mode in ("1", "L", "P") else ""
            raise UserError(f"{path}: has pixels of mode {image.mode}; expected 16-bit grey{loss}; {_RESTORE}")
        ids = np.asarray(image).astype(np.int32)
        if ids.min() < 0 or ids.max() >= len(_KNOWN) or not _KNOWN[ids].all():
            strange = next(int(n) for n in np.unique(ids) if not 0 <= n < len(_KNOWN) or not _KNOWN[n])
            raise UserError(f"{path}: has the number {strange}; expected those of the table of labels; {_RESTORE}")
        return ids

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the numbers of the objects of the eight classes; 0 elsewhere."""
        ids = self.instance_ids(image_id)
        return np.where(_OBJECTS[ids], ids, np.int32(0))

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true in groups and in labels that the official evaluation leaves out.

        These are void and border, parking and the like, caravans and trailers. Single caravans and trailers
        are among them although the official code, which knows only their groups as void, counts what is
        predicted there as false.
        """
        ignored: np.ndarray = (_GROUPS | _VOID)[self.instance_ids(image_id)]
        return ignored

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return groups as crowd regions, then objects, by rising number; other ignored pixels are in none."""
        ids = self.instance_ids(image_id)
        counts = np.bincount(ids.ravel(), minlength=len(_KNOWN))
        class_of = {label_id: class_id for class_id, label_id in enumerate(LABEL_IDS.values(), start=1)}
        found = []
        for number, rle in encode_labels(np.where((_OBJECTS | _GROUPS)[ids], ids, 0)).items():
            is_group = number < 1000
            class_id = class_of[number if is_group else number // 1000]
            found.append(TrueObject(rle, class_id, float(counts[number]), iscrowd=is_group))
        return tuple(found)

    def distances(self, image_id: str) -> np.ndarray:
        """Return float64 [H, W], metres from the camera; NaN where none was measured.

        Distance is focal length x baseline / disparity. A disparity image holds 256 x disparity + 1, and 0
        where there is no measurement. A disparity of 0 is infinitely far.

        Raises:
            UserError: A file is missing, damaged or not of its format, or of another size than the annotation.
        """
        path = self._path("disparity", image_id, "_disparity.png")
        camera_path = self._path("camera", image_id, "_camera.json")
        image = read_image(path, _RESTORE)
        mode, stored = image.mode, np.asarray(image)
        if (mode != "I" and not mode.startswith("I;16")) or stored.shape != self.size(image_id):
            raise UserError(
                f"{path}: has {stored.shape[0]} x {stored.shape[1]} pixels of mode {mode}; expected 16-bit grey, "
                f"{' x '.join(map(str, self.size(image_id)))}; {_RESTORE}"
            )
        camera = read_json(camera_path, dict[str, dict[str, float]], _RESTORE)
        try:
            scale = camera["intrinsic"]["fx"] * camera["extrinsic"]["baseline"]
        except KeyError as error:
            raise UserError(f"{camera_path}: lacks {error}, of intrinsic.fx, extrinsic.baseline; {_RESTORE}") from error
        distances = np.full(stored.shape, np.nan)
        measured = stored > 0
        with np.errstate(divide="ignore"):
            distances[measured] = scale / ((stored[measured] - 1.0) / 256.0)
        return distances

    def _path(self, tree: str, image_id: str, suffix: str) -> Path:
        return self._root / tree / self._split / self._cities[image_id] / (image_id + suffix)
