"""Training samples as in the released code: the original files are decoded and resized in every epoch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch.utils.data import Dataset

VOID = 255
Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]
Augment = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]


class DecodingSet(Dataset[Sample]):
    """Images of a VOC image set with their object masks, which are always padded to the same number.

    Args:
        voc: Folder with JPEGImages, SegmentationObject, SegmentationClass and ImageSets.
        image_set: Name of a list in ImageSets/Segmentation.
        size: (H, W) of the network's input.
        max_instances: Number of masks after padding; the largest objects are kept.
        augment: Augmentation of image, instance map and ignore mask; None does not change them.
    """

    def __init__(
        self, voc: Path, image_set: str, size: tuple[int, int], max_instances: int, augment: Augment | None
    ) -> None:
        names = (voc / "ImageSets" / "Segmentation" / f"{image_set}.txt").read_text().split()
        self.names = sorted(names)
        self.voc = voc
        self.size = size
        self.max_instances = max_instances
        self.augment = augment

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Return image uint8 [3, H, W], masks bool [max_instances, H, W], class ids [max_instances], object count."""
        name = self.names[index]
        height, width = self.size
        with Image.open(self.voc / "JPEGImages" / f"{name}.jpg") as file:
            picture = file.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        objects, classes = (
            self._shrunk(self.voc / folder / f"{name}.png") for folder in ("SegmentationObject", "SegmentationClass")
        )
        void = (objects == VOID) | (classes == VOID)
        class_of = {int(i): int(classes[(objects == i) & ~void].min()) for i in np.unique(objects[~void]) if i > 0}
        image = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
        instance_map = torch.from_numpy(np.where(void, 0, objects).astype(np.int32))
        if self.augment is not None:
            image, instance_map, _ = self.augment(image, instance_map, torch.from_numpy(void))
        return (image, *self._masks(instance_map.numpy(), class_of))

    def _shrunk(self, path: Path) -> np.ndarray:
        with Image.open(path) as file:
            indices = np.asarray(file)
        factors = (self.size[0] / indices.shape[0], self.size[1] / indices.shape[1])
        shrunk: np.ndarray = ndimage.zoom(indices, factors, order=0)
        return shrunk

    def _masks(self, objects: np.ndarray, class_of: dict[int, int]) -> tuple[torch.Tensor, torch.Tensor, int]:
        found = []
        for number in np.unique(objects):
            if number > 0:
                mask = objects == number
                found.append((int(mask.sum()), mask, class_of[int(number)]))
        found.sort(key=lambda item: item[0], reverse=True)
        found = found[: self.max_instances]
        masks = np.zeros((self.max_instances, *objects.shape), bool)
        class_ids = np.zeros(self.max_instances, np.int64)
        for row, (_, mask, class_id) in enumerate(found):
            masks[row] = mask
            class_ids[row] = class_id
        return torch.from_numpy(masks), torch.from_numpy(class_ids), len(found)
