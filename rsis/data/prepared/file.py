"""Prepared files as a torch data set; `rsis.data.prepared.writer` documents and writes the format."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from rsis.data.prepared.content import FAULTS, image_datasets, read_tables
from rsis.errors import UserError
from rsis.files.digests import digest_of

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PreparedSample:
    """One image of a prepared split.

    Attributes:
        image: uint8 [3, H, W], RGB.
        instance_map: int32 [H, W], 0 = background, 1..N = objects; all N occur unless augmentation removed some.
        ignore_mask: bool [H, W], true on pixels without annotation.
        class_ids: int64 [N], 1..K-1, class of objects 1..N.
        image_id: Name of the image, unique in its split.
        original_size: (H, W) of the raw image.
    """

    image: "torch.Tensor"
    instance_map: "torch.Tensor"
    ignore_mask: "torch.Tensor"
    class_ids: "torch.Tensor"
    image_id: str
    original_size: tuple[int, int]


class PreparedSplit:
    """A prepared file as a torch data set.

    It works with DataLoader workers, forked or spawned: each process opens the file for itself at its first read. torch
    is imported then too, since commands that only ask what the file is start faster without.

    Args:
        path: A file that `write_split` wrote.

    Attributes:
        path: The file.
        class_names: Names of classes 1..K-1.
        image_ids: Name of each image, in file order.
        original_sizes: (H, W) of each raw image.
        size: (H, W) of the prepared images.
        source_digest: Digest of the raw data's manifest.
        reading: Keys of the data set by which its files were read, see `rsis.data.prepared.writer`.
        made_from: What params.yaml said of the split when it was prepared; empty for a file of an earlier version.
        digest: Digest of all attributes of the file and its image ids; it identifies the content.

    Raises:
        UserError: The file is missing, damaged, of another schema version, or of wrong content
            (`rsis.data.prepared.content`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: tuple[int, h5py.File, tuple[h5py.Dataset, ...]] | None = None
        again = f"run `rsis prepare {path.parent.name}`"
        if not path.is_file():
            raise UserError(f"{path}: no such file; {again}")
        try:
            self._opened_as = _stamp(path)
            with h5py.File(path, "r", locking=False) as file:
                tables = read_tables(file)
        except FAULTS as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{path}: not a complete prepared file ({reason}); {again}") from error
        self.image_ids = tables.image_ids
        self.original_sizes = tables.original_sizes
        self.class_names = tables.class_names
        self.size = tables.size
        self.source_digest = tables.source_digest
        self.reading, self.made_from = tables.reading, tables.made_from
        self._ends, self._class_ids = tables.ends, tables.class_ids
        attributes = {name: value for name, value in tables.attributes.items() if name != "made_from"}
        identity: dict[str, Any] = {name: np.asarray(value).tolist() for name, value in attributes.items()}
        if self.made_from:  # where the raw files lie does not matter, their digest says which they are
            identity["made_from"] = {key: value for key, value in self.made_from.items() if key != "source"}
        self.digest = digest_of(identity | {"image_ids": self.image_ids})

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.image_ids)

    def __getitem__(self, index: int) -> PreparedSample:
        """Return `read(index)`."""
        return self.read(index)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickling without the open file, which another process cannot use."""
        return self.__dict__ | {"_open": None}

    def read(self, index: int) -> PreparedSample:
        """Read image `index`, 0 <= index < len(self).

        Raises:
            UserError: The image is damaged, its maps have values that the file's tables do not allow, or the file was
                removed or replaced after it was opened.
        """
        import torch

        start = self._ends[index - 1] if index > 0 else 0
        class_ids = self._class_ids[start : self._ends[index]]
        try:
            images, instance_maps, ignore_masks = self._datasets()
            image, instance_map, ignore_mask = images[index], instance_maps[index], ignore_masks[index]
            if (most := int(instance_map.max())) > len(class_ids) or int(ignore_mask.max()) > 1:
                raise ValueError(
                    f"its maps have values up to {most} and {ignore_mask.max()}, expected {len(class_ids)} and 1"
                )
        except FAULTS as error:
            reason = " ".join(str(error).split())[:200]
            again = f"run `rsis prepare {self.path.parent.name}`"
            raise UserError(
                f"{self.path}: image {self.image_ids[index]!r} cannot be read ({reason}); {again}"
            ) from error
        return PreparedSample(
            image=torch.from_numpy(image).permute(2, 0, 1).contiguous(),
            instance_map=torch.from_numpy(instance_map.astype(np.int32)),
            ignore_mask=torch.from_numpy(ignore_mask.view(np.bool_)),
            class_ids=torch.from_numpy(class_ids.copy()),
            image_id=self.image_ids[index],
            original_size=self.original_sizes[index],
        )

    def _datasets(self) -> tuple[h5py.Dataset, ...]:
        """Return images, instance_maps and ignore_masks of the file, which stays open in this process to save time."""
        if self._open is None or self._open[0] != os.getpid():
            if self._open is not None:
                # A forked process shares the file offset with its parent. HDF5 returns a file that is already open
                # when the same file is opened again, so the inherited one is closed first.
                self._open[1].close()
            # No lock: a finished file never changes, and locks fail on some cluster file systems.
            file = h5py.File(self.path, "r", locking=False)
            if (stamp := _stamp(self.path)) != self._opened_as:
                if not self._equals(PreparedSplit(self.path)):  # images of the one would go with tables of the other
                    file.close()
                    raise UserError(f"{self.path}: was written anew while it was in use; run the command again")
                self._opened_as = stamp
            self._open = os.getpid(), file, image_datasets(file)
        return self._open[2]

    def _equals(self, other: "PreparedSplit") -> bool:
        """Return whether another file has the same images and objects, as when the preparation was repeated."""
        tables = ((self._ends, other._ends), (self._class_ids, other._class_ids))
        return self.digest == other.digest and all(np.array_equal(mine, theirs) for mine, theirs in tables)


def _stamp(path: Path) -> tuple[int, int, int]:
    """Return what tells a file from another of the same name."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
