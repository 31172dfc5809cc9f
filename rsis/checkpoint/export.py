"""Export a trained network to a file that runs without this package: ONNX or TorchScript.

One input and three outputs. Any batch size; any image size with decoder convlstm, and with decoder pointer, whose
grid the exporters write down, the size in the metadata alone:

    images       uint8 [B, 3, H, W], RGB, resized to about the size in the metadata
    mask_probs   float32 [B, T, H, W], 0..1
    class_probs  float32 [B, T, K-1], 0..1, over the classes 1..K-1
    objectness   float32 [B, T], 0..1; the sequence ends at the first step below the threshold

The exported network normalises the images. The caller resizes images to the network's size, applies the thresholds
and cuts each sequence at its end.
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

from rsis.checkpoint.file import load_checkpoint
from rsis.checkpoint.info import CheckpointInfo
from rsis.errors import UserError
from rsis.files.atomic import atomic_path
from rsis.machine.extras import require
from rsis.model.any import OwnNetwork
from rsis.model.network import RSISNetwork
from rsis.model.peers.mask_rcnn import MaskRCNNNetwork

Format = Literal["onnx", "torchscript"]
OUTPUTS = ("mask_probs", "class_probs", "objectness")
TOLERANCE = 1e-4
_CHATTY = ("torch.onnx", "onnxscript", "onnx_ir")  # loggers of the exporter and of the packages it uses


@dataclass(frozen=True)
class _Shapes:
    """B, H, W of the traced input, and of the inputs that the written file is checked with."""

    traced: tuple[int, int, int]
    checked: tuple[tuple[int, int, int], ...]
    any_size: bool


# no two feature levels of the traced input have the same size
_ANY_SIZE = _Shapes((2, 64, 96), ((1, 96, 64), (3, 80, 128)), any_size=True)


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        path: The written file.
        steps: T.
        difference: Largest absolute difference between the file's outputs and the network's, over all inputs of the
            check.
    """

    path: Path
    steps: int
    difference: float


class Exportable(nn.Module):
    """The network with normalisation before it and probabilities as its outputs.

    Args:
        network: In eval mode.
        num_steps: T.
    """

    def __init__(self, network: OwnNetwork, num_steps: int) -> None:
        super().__init__()
        self.network, self.num_steps = network, num_steps

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the three outputs of images uint8 [B, 3, H, W]."""
        output = self.network(self.network.normalize(images), self.num_steps)
        masks = self.network.mask_probs(output, (images.shape[-2], images.shape[-1]))
        return masks, output.class_logits[..., 1:].softmax(dim=-1), torch.sigmoid(output.objectness_logits)


def export(
    checkpoint: Path, target: Path, kind: Format, steps: int | None = None, tolerance: float = TOLERANCE
) -> Exported:
    """Export a checkpoint's network, and check that the written file gives the same outputs.

    The check reads the file and runs it on batches and images of other sizes than the traced input.

    Args:
        checkpoint: The trained network.
        target: The file to write.
        kind: "onnx", or "torchscript", which torch itself calls deprecated.
        steps: T; None takes `num_steps` of the checkpoint's run.
        tolerance: Largest allowed absolute difference of an output; all outputs are probabilities.

    Raises:
        UserError: The checkpoint cannot be read or is a peer's, what ONNX needs is not installed, or the outputs
            differ; no file is left then.
    """
    if kind == "onnx":
        require("export --format onnx", "onnx", "onnxruntime", "onnxscript")
    network, info = load_checkpoint(checkpoint)
    if isinstance(network, MaskRCNNNetwork):
        raise UserError(f"{checkpoint}: Mask R-CNN is not exported, only our own networks; use `rsis predict-images`")
    num_steps = steps or int(info.predict["num_steps"])
    model = Exportable(network, num_steps).eval().requires_grad_(False)
    shapes = _ANY_SIZE if isinstance(network, RSISNetwork) else _of_size(*info.size)
    write, read = (_write_onnx, _read_onnx) if kind == "onnx" else (_write_torchscript, _read_torchscript)
    with atomic_path(target) as temporary, torch.inference_mode():
        with _without_chatter():
            write(model, _metadata(info, num_steps), temporary, shapes)
            run = read(temporary)
        difference = float(np.max([_difference(model, run, shape) for shape in shapes.checked]))  # NaN stays NaN
        if not difference <= tolerance:
            raise UserError(
                f"{target}: not written: its outputs differ from the network's by {difference:.1e}, at most "
                f"{tolerance:.1e} is expected; use the other --format"
            )
    return Exported(target, num_steps, difference)


def _of_size(height: int, width: int) -> _Shapes:
    return _Shapes((2, height, width), ((1, height, width), (3, height, width)), any_size=False)


def _metadata(info: CheckpointInfo, num_steps: int) -> dict[str, str]:
    """Return the description to store in the file, as text."""
    facts = {"run": info.run, "class_names": info.class_names, "size": info.size, "num_steps": num_steps}
    facts |= {"predict": info.predict, "key": info.key, "version": info.version}
    return {f"rsis.{key}": value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}


def _images(batch: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (batch, 3, height, width), generator=generator, dtype=torch.uint8)


def _write_onnx(model: Exportable, metadata: dict[str, str], path: Path, shapes: _Shapes) -> None:
    auto = torch.export.Dim.AUTO
    dynamic = {0: auto, 2: auto, 3: auto} if shapes.any_size else {0: auto}
    try:
        program = torch.onnx.export(
            model,
            (_images(*shapes.traced),),
            dynamo=True,
            dynamic_shapes=(dynamic,),
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


def _write_torchscript(model: Exportable, metadata: dict[str, str], path: Path, shapes: _Shapes) -> None:
    traced: Any = torch.jit.trace(model, (_images(*shapes.traced),), check_trace=False)
    traced.save(str(path), _extra_files={key: value.encode() for key, value in metadata.items()})


def _read_torchscript(path: Path) -> Callable[[torch.Tensor], list[np.ndarray]]:
    loaded = torch.jit.load(str(path))
    return lambda images: [output.numpy() for output in loaded(images)]


def _difference(
    model: Exportable, run: Callable[[torch.Tensor], list[np.ndarray]], shape: tuple[int, int, int]
) -> float:
    """Return the largest absolute difference of the outputs for images of shape (B, H, W).

    Infinite if the file cannot run on them, or if an output has another shape.
    """
    images = _images(*shape)
    expected = [output.numpy() for output in model(images)]
    try:
        found = run(images)
    except Exception:  # errors of the runtimes share no base class: the file works only for images of another size
        return float("inf")
    if [output.shape for output in found] != [output.shape for output in expected]:
        return float("inf")
    return float(np.max([np.abs(a - b).max() for a, b in zip(found, expected, strict=True)]))


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hide the log messages and warnings of torch's exporters: the user can do nothing about them."""
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
