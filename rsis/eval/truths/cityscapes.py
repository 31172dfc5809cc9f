"""The ground truth of Cityscapes, from its `gtFine` tree; the pictures are not needed.

`gtFine/<split>/<city>/<image_id>_gtFine_instanceIds.png` has one instance id per pixel: a label id of the official
table, or for an object 1000 times the label id plus a counter. When `disparity` and `camera` are beside `gtFine`,
pixels also have a distance from the camera.
"""

from pathlib import Path

import numpy as np
from cityscapesscripts.helpers.labels import labels

from rsis.config.datasets import CityscapesSplit
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth, TrueObject, once_an_image
from rsis.eval.truths.images import read_image, stored_size
from rsis.eval.truths.label_runs import LabelRuns
from rsis.files.atomic import read_json

LABEL_IDS: dict[str, int] = {item.name: item.id for item in labels if item.hasInstances and not item.ignoreInEval}
"""Label id by name of each evaluated class, in the order of the class ids."""

_SUFFIX = "_gtFine_instanceIds.png"
_RESTORE = "restore it from the original data, or take the image out of the folder"


def _table(chosen: list[int]) -> np.ndarray:
    """Return bool [34000], true at the given instance ids."""
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
    """A split of Cityscapes; an image id is "<city>_<sequence>_<frame>", and images are sorted by it.

    Attributes:
        has_distances: Whether the split has folders in `disparity` and `camera`.

    Args:
        root: Folder that contains gtFine.
        split: The split's folder.

    Raises:
        UserError: The folder has no annotation, or two of one image.
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
        """Return (H, W) from the header of the annotation file."""
        return stored_size(self._path("gtFine", image_id, _SUFFIX), _RESTORE)

    def instance_ids(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the instance ids as stored in the file; raise UserError as `runs` does."""
        return self._read(image_id)[0].astype(np.int32)

    def runs(self, image_id: str) -> LabelRuns:
        """Return the runs of the instance ids.

        Raises:
            UserError: The file is damaged, is not 16-bit grey, or has an instance id that no label allows.
        """
        return self._read(image_id)[1]

    @once_an_image
    def _read(self, image_id: str) -> tuple[np.ndarray, LabelRuns]:
        """Return the instance ids, integer [H, W] in the file's type, and their runs."""
        path = self._path("gtFine", image_id, _SUFFIX)
        image = read_image(path, _RESTORE)
        if image.mode != "I" and not image.mode.startswith("I;16"):
            loss = ": a conversion lost the objects' numbers" if image.mode in ("1", "L", "P") else ""
            raise UserError(f"{path}: has pixels of mode {image.mode}; expected 16-bit grey{loss}; {_RESTORE}")
        ids = np.asarray(image)
        runs = LabelRuns.of(ids)
        for number in np.unique(runs.labels).tolist():
            if not 0 <= number < len(_KNOWN) or not _KNOWN[number]:
                raise UserError(f"{path}: has the number {number}; expected those of the table of labels; {_RESTORE}")
        return ids, runs

    def instance_map(self, image_id: str) -> np.ndarray:
        """Return int32 [H, W], the instance ids of the objects of the eight classes; 0 elsewhere."""
        ids = self.instance_ids(image_id)
        return np.where(_OBJECTS[ids], ids, np.int32(0))

    def ignore_mask(self, image_id: str) -> np.ndarray:
        """Return bool [H, W], true in groups and in labels that the official evaluation leaves out.

        These labels are void and the border, parking and similar ones, caravans and trailers. One difference to the
        official code: it treats only groups of caravans and trailers as void, and counts predictions on a single one
        as false positives. Here both are ignored.
        """
        ignored: np.ndarray = (_GROUPS | _VOID)[self.instance_ids(image_id)]
        return ignored

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        """Return the groups as crowd regions, then the objects, in rising order of their instance ids.

        Ignored pixels other than groups are in no region.
        """
        runs = self.runs(image_id)
        area_of = dict(zip(*(values.tolist() for values in runs.areas()), strict=True))
        class_of = {label_id: class_id for class_id, label_id in enumerate(LABEL_IDS.values(), start=1)}
        objects = []
        for number, rle in runs.masks(_OBJECTS | _GROUPS):
            is_group = number < 1000
            class_id = class_of[number if is_group else number // 1000]
            objects.append(TrueObject(rle, class_id, float(area_of[number]), iscrowd=is_group))
        return tuple(objects)

    def distances(self, image_id: str) -> np.ndarray:
        """Return float64 [H, W], the distance from the camera in metres; NaN where it was not measured.

        The distance is focal length x baseline / disparity. The disparity image stores 256 x disparity + 1, and 0
        for no measurement. The distance of a disparity of 0 is infinite.

        Raises:
            UserError: A file is missing, damaged or not of its format, or differs in size from the annotation.
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
