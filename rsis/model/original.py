"""The released checkpoints of the paper's authors (imatge-upc/rsis; Python 2, PyTorch 0.2 and later) as ours.

    DIR/encoder.pt, DIR/decoder.pt   state dicts, in any of torch's serialisations
    DIR/args.pkl                     an argparse.Namespace, pickled by Python 2 with protocol 0
    DIR/enc_opt.pt, DIR/dec_opt.pt   optimisers; never opened

Pickles can run code when they are read. Of these, the state dicts are read by torch's loader for weights alone, and
args.pkl by an unpickler that knows a namespace and nothing else.

The released network differs from the paper's in widths (D, D/2, D/4, D/8, D/16) and in its 3 x 3 mask head; both are
options of ours, so the outputs are the same.
"""

import io
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from rsis.errors import UserError
from rsis.files import sha256_of
from rsis.model.checkpoint import CheckpointInfo
from rsis.model.rsis import RSIS
from rsis.model.weight_files import read_state_dict
from rsis.run_config import ModelSection, PredictSection

_OBTAIN = "expected the folder of a released checkpoint, with encoder.pt, decoder.pt and args.pkl; correct the path"
_WIDTH_DIVISORS = (1, 2, 4, 8, 16)
_UNUSED = ("base.fc.", "base.classifier.")  # torchvision's classifier, which the network never runs
_MOST_BYTES = 2**20  # of args.pkl: real ones have some thousand


@dataclass(frozen=True)
class _Benchmark:
    """What a checkpoint does not say: the classes and how the released code reads masks off its output."""

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


def import_original(folder: Path) -> tuple[RSIS, CheckpointInfo]:
    """Read a released checkpoint.

    Args:
        folder: DIR.

    Returns:
        The network in eval mode, with outputs equal to the original's, and its description. Classes, input size and
        thresholds are the released code's for the data set it was trained on (pascal, leaves, cityscapes).

    Raises:
        UserError: A file is missing, damaged, or holds what such a file has no need of; its contents do not fit each
            other; the data set or architecture is none of the released code's.
    """
    for name in ("encoder.pt", "decoder.pt", "args.pkl"):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: no such file; {_OBTAIN}")
    path = folder / "args.pkl"
    args = read_args(path)
    dataset = str(_get(args, "dataset", path, str))
    if dataset not in _BENCHMARKS:
        raise UserError(f"{path}: trained on {dataset!r}; expected one of {', '.join(_BENCHMARKS)}")
    benchmark = _BENCHMARKS[dataset]
    num_classes = int(_get(args, "num_classes", path, int))
    if num_classes != len(benchmark.class_names) + 1:
        expected = f"{len(benchmark.class_names) + 1} of {dataset}, class 0 among them"
        raise UserError(f"{path}: num_classes is {num_classes}, expected the {expected}; it is of other data")
    section = _architecture(args, path)
    network = RSIS(section, num_classes, pretrained=False)
    _fill(network, folder)
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
    """Return the original's name of one of our parameters."""
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
    """Return our description of the released code's network with these of its arguments."""
    return ModelSection.model_validate(
        {
            "backbone": base_model,
            "hidden_widths": tuple(hidden_size // divisor for divisor in _WIDTH_DIVISORS),
            "skip_mode": skip_mode,
            "kernel_size": kernel_size,
            "mask_kernel_size": kernel_size,
        }
    )


def read_args(path: Path) -> dict[str, Any]:
    """Read the arguments of a training from the pickle of an argparse.Namespace, and run nothing.

    Returns:
        Values by name: None, numbers, text, and lists, tuples and dicts of these.

    Raises:
        UserError: It is no such pickle, or holds anything else.
    """
    content = path.read_bytes()
    if len(content) > _MOST_BYTES:
        raise UserError(f"{path}: has {len(content)} bytes, expected some thousand; {_OBTAIN}")
    try:
        found = _ArgsUnpickler(io.BytesIO(content), encoding="latin-1").load()
        args = vars(found) if isinstance(found, _Namespace) else None
        if args is None or not all(isinstance(key, str) for key in args):
            raise UserError(f"{path}: holds a {type(found).__name__}, expected the arguments of a training; {_OBTAIN}")
        return {key: _plain(value, path, key) for key, value in args.items()}
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: refused ({error}); {_OBTAIN}") from error
    except (EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, MemoryError) as error:
        raise UserError(f"{path}: not a pickle, or damaged ({type(error).__name__}); {_OBTAIN}") from error


class _Namespace:
    """What stands for argparse.Namespace while a pickle is read."""

    __slots__ = ("__dict__",)


def _new_namespace(kind: Any, base: Any, state: Any) -> _Namespace:
    """Do what copy_reg._reconstructor does, for this one class."""
    if kind is not _Namespace or base is not object or state is not None:
        raise pickle.UnpicklingError("it builds something other than the arguments of a training")
    return _Namespace()


class _ArgsUnpickler(pickle.Unpickler):
    """Knows the three names that a pickled namespace has; none of them can do anything."""

    _KNOWN: Mapping[tuple[str, str], Any] = {
        ("argparse", "Namespace"): _Namespace,
        ("copy_reg", "_reconstructor"): _new_namespace,
        ("copyreg", "_reconstructor"): _new_namespace,
        ("__builtin__", "object"): object,
        ("builtins", "object"): object,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name; called before anything of that name could run."""
        # Python 3 renames Python 2's modules before it asks
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, of which the arguments of a training have none")
        return self._KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Refuse: arguments of a training refer to nothing outside."""
        raise pickle.UnpicklingError("it refers to an object outside of it")


def _plain(value: Any, path: Path, key: str, depth: int = 0) -> Any:
    """Return a value made of plain ones; a list may hold itself, so depth has an end."""
    if depth < 10:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) in (list, tuple):
            return type(value)(_plain(item, path, key, depth + 1) for item in value)
        if type(value) is dict:
            return {str(name): _plain(item, path, key, depth + 1) for name, item in value.items()}
    kind = type(value).__name__
    raise UserError(f"{path}: {key} holds a {kind}, expected numbers, text, or lists of these; {_OBTAIN}")


def _get(args: Mapping[str, Any], key: str, path: Path, kind: type) -> Any:
    value = args.get(key)
    if type(value) is not kind:
        raise UserError(f"{path}: {key} is {value!r}, expected a value of type {kind.__name__}; {_OBTAIN}")
    return value


def _architecture(args: Mapping[str, Any], path: Path) -> ModelSection:
    names = {"base_model": str, "hidden_size": int, "kernel_size": int, "skip_mode": str}
    values = {name: _get(args, name, path, kind) for name, kind in names.items()}
    try:
        return original_architecture(**values)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise UserError(f"{path}: {where} is {fault['input']!r} ({fault['msg']}); {_OBTAIN}") from error


def _fill(network: RSIS, folder: Path) -> None:
    """Copy the weights of both files into the network."""
    found: dict[str, tuple[torch.Tensor, Path]] = {}
    for path in (folder / "encoder.pt", folder / "decoder.pt"):
        for key, value in read_state_dict(path, _OBTAIN).items():
            found[str(key).removeprefix("module.")] = value, path
    state = {}
    for name, ours in network.state_dict().items():
        theirs = original_name(name)
        if theirs.endswith("num_batches_tracked"):  # came with PyTorch 0.4, and plays no part
            state[name] = found.pop(theirs, (torch.zeros_like(ours), folder))[0]
            continue
        part = folder / ("encoder.pt" if name.startswith("encoder.") else "decoder.pt")
        if theirs not in found:
            raise UserError(f"{part}: lacks {theirs}, which the network of args.pkl has; they are not of one training")
        value, path = found.pop(theirs)
        if not isinstance(value, torch.Tensor) or value.shape != ours.shape:
            shape = list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            expected = f"{list(ours.shape)} by args.pkl"
            raise UserError(f"{path}: {theirs} is {shape}, expected {expected}; they are not of one training")
        state[name] = value.to(ours.dtype)
    for theirs, (_, path) in found.items():
        if not theirs.startswith(_UNUSED):
            raise UserError(f"{path}: has {theirs}, which the network of args.pkl lacks; they are not of one training")
    network.load_state_dict(state)
