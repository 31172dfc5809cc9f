"""Prepared files as a torch data set; `rsis.data.prepared.writer` documents and writes the format."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch.utils.data import Dataset

from rsis.data.prepared.writer import SCHEMA_VERSION
from rsis.errors import UserError
from rsis.files.digests import digest_of


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

    image: torch.Tensor
    instance_map: torch.Tensor
    ignore_mask: torch.Tensor
    class_ids: torch.Tensor
    image_id: str
    original_size: tuple[int, int]


class PreparedSplit(Dataset[PreparedSample]):
    """A prepared file as a torch data set.

    It works with DataLoader workers, forked or spawned: each process opens the file for itself at its first read.

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
        digest: Digest of all attributes of the file and its image ids; it identifies the content.

    Raises:
        UserError: The file is missing, damaged, or of another schema version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: tuple[int, h5py.File, tuple[h5py.Dataset, ...]] | None = None
        again = f"run `rsis prepare {path.parent.name}`"
        if not path.is_file():
            raise UserError(f"{path}: no such file; {again}")
        try:
            with h5py.File(path, "r", locking=False) as file:
                attributes = dict(file.attrs)
                version = attributes.get("schema_version")
                if version != SCHEMA_VERSION:
                    raise UserError(f"{path}: schema version {version}, expected {SCHEMA_VERSION}; {again}")
                self.image_ids: tuple[str, ...] = tuple(file["image_ids"].asstr()[:].tolist())
                self.original_sizes: tuple[tuple[int, int], ...] = tuple(map(tuple, file["original_sizes"][:].tolist()))
                self._ends = np.cumsum(file["num_instances"][:], dtype=np.int64)
                self._class_ids = file["class_ids"][:].astype(np.int64)
        except (OSError, KeyError) as error:
            raise UserError(f"{path}: damaged or cut short, expected a complete prepared file; {again}") from error
        self.class_names: tuple[str, ...] = tuple(json.loads(attributes["class_names"]))
        height, width = attributes["size"].tolist()
        self.size: tuple[int, int] = (height, width)
        self.source_digest: str = attributes["source_digest"]
        self.reading: dict[str, Any] = json.loads(attributes.get("reading", "{}"))
        identity = {name: np.asarray(value).tolist() for name, value in attributes.items()}
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
            UserError: The file was damaged or removed after it was opened.
        """
        try:
            images, instance_maps, ignore_masks = self._datasets()
            image = torch.from_numpy(images[index])  # [H, W, 3]
            instance_map = torch.from_numpy(instance_maps[index].astype(np.int32))
            ignore_mask = torch.from_numpy(ignore_masks[index].view(np.bool_))  # 0 or 1
        except OSError as error:
            again = f"run `rsis prepare {self.path.parent.name}`"
            raise UserError(f"{self.path}: image {self.image_ids[index]!r} cannot be read; {again}") from error
        start = self._ends[index - 1] if index > 0 else 0
        return PreparedSample(
            image=image.permute(2, 0, 1).contiguous(),
            instance_map=instance_map,
            ignore_mask=ignore_mask,
            class_ids=torch.from_numpy(self._class_ids[start : self._ends[index]].copy()),
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
            self._open = os.getpid(), file, tuple(file[name] for name in ("images", "instance_maps", "ignore_masks"))
        return self._open[2]
