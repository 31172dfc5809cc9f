"""A trained network in a file that runs without this package: ONNX, or TorchScript.

One input and three outputs, any batch size and image size:

    images       uint8 [B, 3, H, W], RGB, resized to about the size in the metadata
    mask_probs   float32 [B, T, H, W], 0..1
    class_probs  float32 [B, T, K-1], of the real classes, 0..1
    objectness   float32 [B, T], 0..1; the sequence ends at the first step below the threshold

Normalisation is inside; resizing to the network's size, thresholds and the end of the sequence are the caller's.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from rsis.checkpoint.file import CheckpointInfo, load_checkpoint
from rsis.errors import UserError
from rsis.files.atomic import atomic_path
from rsis.machine.extras import require
from rsis.model.network import RSISNetwork, mask_probs, normalize

Format = Literal["onnx", "torchscript"]
OUTPUTS = ("mask_probs", "class_probs", "objectness")
TOLERANCE = 1e-4
_CHATTY = ("torch.onnx", "onnxscript", "onnx_ir")  # loggers of the exporter and of what it is made of
_TRACED = (2, 64, 96)  # B, H, W; no two levels of the network may have one size by chance
_CHECKED = ((1, 96, 64), (3, 80, 128))


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: The file.
        steps: T.
        difference: Largest difference of an output to the network's own, over the inputs it was checked with.
    """

    path: Path
    steps: int
    difference: float


class Exportable(nn.Module):
    """The network from uint8 images to probabilities.

    Args:
        network: In eval mode.
        num_steps: T.
    """

    def __init__(self, network: RSISNetwork, num_steps: int) -> None:
        super().__init__()
        self.network, self.num_steps = network, num_steps

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the three outputs of images uint8 [B, 3, H, W]."""
        output = self.network(normalize(images), self.num_steps)
        masks = mask_probs(output, (images.shape[-2], images.shape[-1]))
        return masks, output.class_logits[..., 1:].softmax(dim=-1), torch.sigmoid(output.objectness_logits)


def export(
    checkpoint: Path, target: Path, kind: Format, steps: int | None = None, tolerance: float = TOLERANCE
) -> Exported:
    """Write a checkpoint's network for another runtime, and check that it computes the same.

    The file is read back and run on batches of other sizes than it was made with.

    Args:
        checkpoint: The trained network.
        target: The file to write.
        kind: "onnx", or "torchscript", which torch itself calls deprecated.
        steps: T; None for that of the checkpoint's run.
        tolerance: Largest difference of an output, all of which are probabilities.

    Raises:
        UserError: The checkpoint cannot be read, what ONNX needs is not installed, or the outputs differ; no file is
            left then.
    """
    if kind == "onnx":
        require("export --format onnx", "onnx", "onnxruntime", "onnxscript")
    network, info = load_checkpoint(checkpoint)
    num_steps = steps or int(info.predict["num_steps"])
    model = Exportable(network, num_steps).eval().requires_grad_(False)
    write, read = (_write_onnx, _read_onnx) if kind == "onnx" else (_write_torchscript, _read_torchscript)
    with atomic_path(target) as temporary, torch.inference_mode():
        with _without_chatter():
            write(model, _metadata(info, num_steps), temporary)
            run = read(temporary)
        difference = max(_difference(model, run, shape) for shape in _CHECKED)
        if not difference <= tolerance:
            raise UserError(
                f"{target}: not written: its outputs differ from the network's by {difference:.1e}, at most "
                f"{tolerance:.1e} is expected; use the other --format"
            )
    return Exported(target, num_steps, difference)


def _metadata(info: CheckpointInfo, num_steps: int) -> dict[str, str]:
    """Return what the file says of itself, as text."""
    facts = {"run": info.run, "class_names": info.class_names, "size": info.size, "num_steps": num_steps}
    facts |= {"predict": info.predict, "key": info.key, "version": info.version}
    return {f"rsis.{key}": value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}


def _images(batch: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (batch, 3, height, width), generator=generator, dtype=torch.uint8)


def _write_onnx(model: Exportable, metadata: dict[str, str], path: Path) -> None:
    auto = torch.export.Dim.AUTO
    try:
        program = torch.onnx.export(
            model,
            (_images(*_TRACED),),
            dynamo=True,
            dynamic_shapes=({0: auto, 2: auto, 3: auto},),
            input_names=["images"],
            output_names=list(OUTPUTS),
            verbose=False,
        )
    except torch.onnx.errors.OnnxExporterError as error:
        cause = " ".join(str(error.__cause__ or error).split())[:200]
        raise UserError(f"{path.name}: torch cannot write this network as ONNX ({cause}); use torchscript") from error
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(str(path), external_data=False)


def _read_onnx(path: Path) -> Callable[[torch.Tensor], list[np.ndarray]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(list(OUTPUTS), {"images": images.numpy()})


def _write_torchscript(model: Exportable, metadata: dict[str, str], path: Path) -> None:
    traced: Any = torch.jit.trace(model, (_images(*_TRACED),), check_trace=False)
    traced.save(str(path), _extra_files={key: value.encode() for key, value in metadata.items()})


def _read_torchscript(path: Path) -> Callable[[torch.Tensor], list[np.ndarray]]:
    loaded = torch.jit.load(str(path))
    return lambda images: [output.numpy() for output in loaded(images)]


def _difference(
    model: Exportable, run: Callable[[torch.Tensor], list[np.ndarray]], shape: tuple[int, int, int]
) -> float:
    """Return the largest difference of the outputs for images of a shape; infinite where theirs have another."""
    images = _images(*shape)
    expected = [output.numpy() for output in model(images)]
    try:
        found = run(images)
    except Exception:  # the runtimes' own, of no common class: what was written is for another size
        return float("inf")
    if [output.shape for output in found] != [output.shape for output in expected]:
        return float("inf")
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep what torch's exporters say of themselves from the user, who can do nothing about it."""
    levels = {name: logging.getLogger(name).level for name in _CHATTY}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
