"""Import the checkpoints that the paper's authors released (imatge-upc/rsis; Python 2, PyTorch 0.2 and later).

    DIR/encoder.pt, DIR/decoder.pt   state dicts, in any of torch's serialisation formats
    DIR/args.pkl                     an argparse.Namespace, pickled by Python 2 with protocol 0
    DIR/enc_opt.pt, DIR/dec_opt.pt   optimisers; never opened

A pickle can run code when it is read. Therefore the state dicts are read by torch's loader with `weights_only`, and
args.pkl by an unpickler that accepts a namespace of plain values and nothing else.

The released network differs from the paper's in the widths (D, D/2, D/4, D/8, D/16) and in its 3 x 3 mask head. Both
are options of our network, so its outputs are the same as the original's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from rsis.checkpoint.info import CheckpointInfo
from rsis.checkpoint.original_args import OBTAIN, argument, read_args
from rsis.config.runs import ModelSection, PredictSection
from rsis.errors import UserError
from rsis.files.digests import sha256_of
from rsis.model.backbone_weights import read_state_dict
from rsis.model.network import RSISNetwork

_WIDTH_DIVISORS = (1, 2, 4, 8, 16)
_UNUSED = ("base.fc.", "base.classifier.")  # torchvision's classification head, which the network does not use


@dataclass(frozen=True)
class _Benchmark:
    """What a released checkpoint does not contain: classes, input size and the released code's thresholds."""

    class_names: tuple[str, ...]
    size: tuple[int, int]
    predict: PredictSection


_BENCHMARKS = {
    "pascal": _Benchmark(
        (
            *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
            *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train"),
            "tvmonitor",
        ),
        (256, 256),
        PredictSection(num_steps=10, min_area=0.001),
    ),
    "leaves": _Benchmark(("leaf",), (400, 400), PredictSection(num_steps=20, objectness_threshold=0.2)),
    "cityscapes": _Benchmark(
        ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
        (256, 512),
        PredictSection(num_steps=20, objectness_threshold=0.0, largest_component=True),
    ),
}


def import_original(folder: Path) -> tuple[RSISNetwork, CheckpointInfo]:
    """Read a released checkpoint.

    Args:
        folder: The folder DIR with the released files.

    Returns:
        The network in eval mode, with outputs equal to the original's, and its description. Classes, input size and
        thresholds are those of the released code for the data set of the training (pascal, leaves, cityscapes).

    Raises:
        UserError: A file is missing or damaged, or contains something that does not belong into such a file; the
            files do not fit each other; the released code has no such data set or architecture.
    """
    for name in ("encoder.pt", "decoder.pt", "args.pkl"):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: no such file; {OBTAIN}")
    path = folder / "args.pkl"
    args = read_args(path)
    dataset = str(argument(args, "dataset", path, str))
    if dataset not in _BENCHMARKS:
        raise UserError(f"{path}: trained on {dataset!r}; expected one of {', '.join(_BENCHMARKS)}")
    benchmark = _BENCHMARKS[dataset]
    num_classes = int(argument(args, "num_classes", path, int))
    if num_classes != len(benchmark.class_names) + 1:
        expected = f"{len(benchmark.class_names) + 1} of {dataset}, class 0 among them"
        raise UserError(f"{path}: num_classes is {num_classes}, expected the {expected}; it is of other data")
    section = _architecture(args, path)
    network = _filled_network(section, num_classes, folder)
    steps = min(max(1, int(args.get("maxseqlen", benchmark.predict.num_steps))), 1000)
    info = CheckpointInfo(
        run=folder.resolve().name,
        dataset=dataset,
        class_names=benchmark.class_names,
        size=benchmark.size,
        model=section.model_dump(mode="json"),
        train={key: value for key, value in sorted(args.items()) if isinstance(value, bool | int | float | str)},
        predict=benchmark.predict.model_copy(update={"num_steps": steps}).model_dump(mode="json"),
        metrics={},
        key="-".join(sha256_of(folder / name)[:16] for name in ("encoder.pt", "decoder.pt", "args.pkl")),
    )
    return network.eval(), info


def original_name(name: str) -> str:
    """Return the name that a parameter or buffer of our network has in the released code."""
    rules: Sequence[tuple[str, Any]] = (
        (r"^encoder\.backbone\.", "base."),
        (r"^encoder\.skips\.(\d)\.0\.", lambda found: f"sk{5 - int(found[1])}."),
        (r"^encoder\.skips\.(\d)\.1\.", lambda found: f"bn{5 - int(found[1])}."),
        (r"^decoder\.layers\.(\d)\.gates\.", r"clstm_list.\1.Gates."),
        (r"^decoder\.mask_head\.", "conv_out."),
        (r"^decoder\.class_head\.", "fc_class."),
        (r"^decoder\.objectness_head\.", "fc_stop."),
    )
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def original_architecture(base_model: str, hidden_size: int, kernel_size: int, skip_mode: str) -> ModelSection:
    """Return the architecture of the released code's network for these of its command-line arguments."""
    return ModelSection.model_validate(
        {
            "backbone": base_model,
            "hidden_widths": tuple(hidden_size // divisor for divisor in _WIDTH_DIVISORS),
            "skip_mode": skip_mode,
            "kernel_size": kernel_size,
            "mask_kernel_size": kernel_size,
        }
    )


def _architecture(args: Mapping[str, Any], path: Path) -> ModelSection:
    names = {"base_model": str, "hidden_size": int, "kernel_size": int, "skip_mode": str}
    values = {name: argument(args, name, path, kind) for name, kind in names.items()}
    try:
        return original_architecture(**values)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise UserError(f"{path}: {where} is {fault['input']!r} ({fault['msg']}); {OBTAIN}") from error


def _filled_network(section: ModelSection, num_classes: int, folder: Path) -> RSISNetwork:
    """Make the network of args.pkl with the weights of encoder.pt and decoder.pt.

    They are first compared with a network without values: a size in args.pkl takes memory only when the weights are of
    that size.
    """
    try:
        with torch.device("meta"):
            outline = RSISNetwork(section, num_classes, pretrained=False)
        weights = _read_weights(outline.state_dict(), folder)
        network = RSISNetwork(section, num_classes, pretrained=False)
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{folder}: its weights do not fit args.pkl ({reason}); {OBTAIN}") from error
    return network


def _read_weights(expected: Mapping[str, torch.Tensor], folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights of encoder.pt and decoder.pt, by our names, with the shapes and types of `expected`."""
    found: dict[str, tuple[torch.Tensor, Path]] = {}
    for path in (folder / "encoder.pt", folder / "decoder.pt"):
        for key, value in read_state_dict(path, OBTAIN).items():
            found[str(key).removeprefix("module.")] = value, path
    state = {}
    for name, ours in expected.items():
        theirs = original_name(name)
        if theirs.endswith("num_batches_tracked"):  # exists since PyTorch 0.4 only, and does not affect the outputs
            state[name] = found.pop(theirs, (torch.zeros(ours.shape, dtype=ours.dtype), folder))[0]
            continue
        part = folder / ("encoder.pt" if name.startswith("encoder.") else "decoder.pt")
        if theirs not in found:
            raise UserError(f"{part}: lacks {theirs}, which the network of args.pkl has; they are not of one training")
        value, path = found.pop(theirs)
        if not isinstance(value, torch.Tensor) or value.shape != ours.shape:
            shape = list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            wanted = f"{list(ours.shape)} by args.pkl"
            raise UserError(f"{path}: {theirs} is {shape}, expected {wanted}; they are not of one training")
        if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
            raise UserError(f"{path}: {theirs} has values that are not finite numbers; obtain the file again")
        state[name] = value.to(ours.dtype)
    for key, (_, path) in found.items():
        if not key.startswith(_UNUSED):
            raise UserError(f"{path}: has {key}, which the network of args.pkl lacks; they are not of one training")
    return state
