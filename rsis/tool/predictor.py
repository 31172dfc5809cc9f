"""A trained network in three lines of Python.

    from rsis import RSIS
    model = RSIS.from_checkpoint("models/demo.safetensors")
    result = model.predict("plant.png")

`rsis.tool.result` describes the result; `rsis.tool.tiles.Tiling` is for more objects than the network has steps.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from torch import nn

from rsis.checkpoint.fetch import local_file
from rsis.checkpoint.file import load_checkpoint
from rsis.checkpoint.info import CheckpointInfo
from rsis.config.runs import PredictSection
from rsis.data.readers.base import BadSampleError
from rsis.data.readers.images import resize_image
from rsis.errors import UserError
from rsis.machine.progress import shown
from rsis.model.any import Network
from rsis.model.peers.mask_rcnn import MaskRCNNNetwork
from rsis.predict.binary import least_area
from rsis.predict.decode import DetectedObjects, StepOutputs, decode, find_objects, read_out
from rsis.predict.patch import Patch
from rsis.structures import RSISOutput
from rsis.tool.batching import batches
from rsis.tool.instance import Instance
from rsis.tool.pictures import InputImage, PictureLike, as_pictures, number_of
from rsis.tool.result import ImageResult
from rsis.tool.tiles import Tiling, cut, fault_of, group, joined, objects_of, score_of


class RSIS(nn.Module):
    """A trained network with the description from its checkpoint.

    Args:
        network: The network, in eval mode.
        info: The description in its checkpoint.

    Attributes:
        network: The network.
        info: Its description: architecture, classes, size, training, metrics.
    """

    def __init__(self, network: Network, info: CheckpointInfo) -> None:
        super().__init__()
        self.network, self.info = network, info

    @classmethod
    def from_checkpoint(
        cls, source: str | Path, *, device: str | torch.device | None = None, sha256: str | None = None
    ) -> "RSIS":
        """Read a checkpoint of `rsis train` or `rsis import-original`.

        Args:
            source: A .safetensors file, or its http(s) address. A downloaded file is kept in torch's download folder
                (`torch.hub.get_dir()`), and not downloaded again.
            device: The device to put the network on; None takes a GPU if there is one, else the CPU.
            sha256: Expected SHA-256 of the file, hexadecimal; None checks nothing. The file contains no code in
                either case.

        Raises:
            UserError: The file is missing, damaged or not such a checkpoint, cannot be downloaded, or has another
                SHA-256; or there is no such device.
        """
        network, info = load_checkpoint(local_file(source, sha256))
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        model = cls(network.to(memory_format=torch.channels_last), info).eval()
        try:
            if torch.device(device).type == "meta":
                raise RuntimeError("it computes no values")
            return model.to(device)
        except (RuntimeError, AssertionError) as error:  # torch's error depends on the kind of device
            reason = str(error).splitlines()[0]
            raise UserError(f"device {device}: cannot be used ({reason}); name another, such as cpu") from error

    def forward(self, images: torch.Tensor, num_steps: int) -> RSISOutput:
        """Run the network itself on normalised images (`rsis.model.network.normalize`), float [B, 3, H, W], T steps.

        Raises:
            UserError: It is a peer, which has no steps.
        """
        if isinstance(self.network, MaskRCNNNetwork):
            raise UserError("Mask R-CNN has no steps to run; call predict")
        return self.network(images, num_steps)  # type: ignore[no-any-return]

    def predict(
        self,
        images: PictureLike | Sequence[PictureLike],
        *,
        batch_size: int | None = None,
        tiling: Tiling | None = None,
        full_size: bool = False,
        progress: bool = False,
        **thresholds: float | None,
    ) -> ImageResult | list[ImageResult]:
        """Find the objects of pictures of any size.

        Args:
            images: One of the following, or a sequence of them: a file; a folder, which is searched recursively; a
                pattern such as "scans/*.png"; a PIL image; an array, uint8 [H, W, 3] (RGB), uint8, uint16 or float
                [H, W] (grey); a tensor, uint8 [3, H, W] (RGB). Of more than 8 bits, they are scaled as in training.
            batch_size: Number of pictures, or of tiles of a picture, in a batch; None takes that of the checkpoint.
            tiling: How to cut pictures into tiles; None processes each picture as a whole.
            full_size: Give each picture, or tile, to the network at its own size, where it has other objects than in
                training but of the same size in pixels; otherwise all are resized to the size of the training.
            progress: Show a progress bar, on a terminal or in a notebook.
            **thresholds: Keys of a run's `predict` section that replace those of the checkpoint: num_steps,
                mask_threshold, objectness_threshold, min_area, largest_component, exclusive. None replaces nothing.

        Returns:
            One result for a file of one picture, an image, array or tensor; otherwise a list in the order of pictures.

        Raises:
            UserError: A file cannot be read, an array has another shape or dtype, a threshold is unknown or out of
                range.
        """
        stream = self.stream(images, batch_size=batch_size, tiling=tiling, full_size=full_size, **thresholds)
        number = number_of(images, self.info.pictures) if progress else 0
        results = list(shown(stream, "predict", number, wanted=progress))
        for result in results:
            if isinstance(result, BadSampleError):
                raise UserError(str(result)) from result
        found = [result for result in results if isinstance(result, ImageResult)]
        if isinstance(images, str | Path):
            return found[0] if len(found) == 1 and Path(images).expanduser().is_file() else found
        return found if isinstance(images, Sequence) else found[0]

    def stream(
        self,
        images: PictureLike | Sequence[PictureLike],
        *,
        batch_size: int | None = None,
        tiling: Tiling | None = None,
        full_size: bool = False,
        **thresholds: float | None,
    ) -> Iterator[ImageResult | BadSampleError]:
        """Do the same as `predict`, but yield the results one by one, so that only a few are in memory at a time.

        Yields:
            A result for each picture; for a file that cannot be read, the error instead.

        Raises:
            UserError: As `predict`, except for files that cannot be read.
        """
        section = self.read_out(batch_size=batch_size, **thresholds)
        pictures = as_pictures(images, self.info.pictures)
        if tiling is not None:
            for item in pictures:
                if isinstance(item, InputImage) and (fault := fault_of(_size(item.image), tiling.size, tiling.overlap)):
                    yield BadSampleError(f"{item.image_id}: {fault}")  # the other pictures are predicted
                else:
                    yield self._in_tiles(item, tiling, section, full_size) if isinstance(item, InputImage) else item
            return
        for batch in batches(pictures, section.batch_size):
            readable = [item for item in batch if isinstance(item, InputImage)]
            found = iter(self._find([picture.image for picture in readable], section, full_size))
            for item in batch:
                yield self._result(item, next(found)) if isinstance(item, InputImage) else item

    def read_out(self, **changes: float | None) -> PredictSection:
        """Return the checkpoint's section `predict` with these keys changed; None changes nothing.

        Raises:
            UserError: A key is unknown, or its value is out of range.
        """
        wanted = {key: value for key, value in changes.items() if value is not None}
        try:
            return PredictSection.model_validate_json(json.dumps({**self.info.predict, **wanted}))
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            key = ".".join(map(str, fault["loc"]))
            raise UserError(
                f"{key} is {fault['input']!r}: {fault['msg']}; `rsis predict-images --help` has them"
            ) from error

    def decode(self, picture: InputImage, section: PredictSection) -> StepOutputs:
        """Run the network on one picture; `read` turns the output into a result, also for other thresholds."""
        return decode(self.network, self._batch([picture.image]), section)[0]

    def read(self, picture: InputImage, decoded: StepOutputs, section: PredictSection) -> ImageResult:
        """Return the objects of a picture from the output of `decode`."""
        return self._result(picture, read_out(decoded, _size(picture.image), section))

    def _find(self, images: Sequence[np.ndarray], section: PredictSection, full_size: bool) -> list[DetectedObjects]:
        """Find the objects of images uint8 [H, W, 3] of any sizes: in one batch, or at full size one by one."""
        if not images:
            return []
        if full_size:
            batches = [(torch.from_numpy(image.copy()).permute(2, 0, 1)[None], [_size(image)]) for image in images]
            device = next(self.parameters()).device
            parts = [find_objects(self.network, batch.to(device), size, section) for batch, size in batches]
            return [objects for part in parts for objects in part]
        return find_objects(self.network, self._batch(images), [_size(image) for image in images], section)

    def _batch(self, images: Sequence[np.ndarray]) -> torch.Tensor:
        """Return the images resized to the network's input size, uint8 [B, 3, H, W] on its device."""
        resized = np.stack([resize_image(image, self.info.size) for image in images])  # [B, H, W, 3]
        return torch.from_numpy(resized).permute(0, 3, 1, 2).to(next(self.parameters()).device)

    def _result(self, picture: InputImage, objects: DetectedObjects) -> ImageResult:
        found = zip(objects.patches, objects.class_probs, objects.scores, objects.steps, strict=True)
        instances = [
            self._instance(number, patch, probs, float(score), int(step))
            for number, (patch, probs, score, step) in enumerate(found, start=1)
        ]
        objectness = tuple(objects.objectness.tolist())
        return ImageResult(picture.image_id, picture.image, tuple(instances), objectness, self.info.class_names)

    def _instance(self, number: int, patch: Patch, probs: np.ndarray, objectness: float, step: int) -> Instance:
        class_id = int(probs.argmax()) + 1
        return Instance(number, patch, class_id, self.info.class_names[class_id - 1], probs, objectness, step)

    def _in_tiles(self, picture: InputImage, tiling: Tiling, section: PredictSection, full_size: bool) -> ImageResult:
        """Find the objects of every tile, and join the parts of an object in different tiles.

        Class, objectness and step of a joined object are those of its part with the highest objectness.
        """
        size = _size(picture.image)
        in_tile = section.model_copy(update={"min_area": 0.0})  # a part of an object at a tile's edge may be small
        tiles = cut(size, tiling.size, tiling.overlap)
        detected: list[DetectedObjects] = []
        for batch in batches(tiles, section.batch_size):
            detected += self._find([picture.image[tile.slices] for tile in batch], in_tile, full_size)
        objects, places = objects_of(detected)
        instances: list[Instance] = []
        for members in group(objects, tiles):
            tile, position = places[max(members, key=lambda n: score_of(detected, places[n]))]
            step = int(detected[tile].steps[position])
            patch = joined([objects[n] for n in members], tiles, size)
            if patch.area <= least_area(size, section):
                continue
            score = float(detected[tile].scores[position])
            instances.append(
                self._instance(len(instances) + 1, patch, detected[tile].class_probs[position], score, step)
            )
        objectness = tuple(float(value) for item in detected for value in item.objectness)
        return ImageResult(picture.image_id, picture.image, tuple(instances), objectness, self.info.class_names)


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
