"""Checkpoints as the paper's authors released them: written by PyTorch 0.2 or 1, with arguments of Python 2."""

import collections
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import torch

from rsis.checkpoint.original import original_name
from rsis.model.network import RSISNetwork

ARGS: dict[str, Any] = {
    "base_model": "resnet34",
    "hidden_size": 32,
    "kernel_size": 3,
    "skip_mode": "concat",
    "num_classes": 21,
    "maxseqlen": 10,
    "dataset": "pascal",
    "lr": 0.001,
    "use_gpu": True,
    "pascal_dir": "/home/josé/VOC",
}


def args_of_python_2(values: dict[str, Any]) -> bytes:
    """The pickle that Python 2's protocol 0 makes of a Namespace: text, with names of modules that are gone."""
    lines = ["ccopy_reg", "_reconstructor", "p0", "(cargparse", "Namespace", "p1", "c__builtin__", "object", "p2"]
    text = "\n".join([*lines, "Ntp3", "Rp4", "(dp5", ""])
    for number, (key, value) in enumerate(values.items()):
        text += f"S'{key}'\np{2 * number + 6}\n"
        if isinstance(value, bool):
            text += f"I0{int(value)}\n"
        elif isinstance(value, int):
            text += f"I{value}\n"
        elif isinstance(value, float):
            text += f"F{value!r}\n"
        else:
            escaped = "".join(c if ord(c) < 128 else f"\\x{ord(c):02x}" for c in value)
            text += f"S'{escaped}'\np{2 * number + 7}\n"
        text += "s"
    return (text + "b.").encode("latin-1")


_PicklerInPython: Any = pickle._Pickler  # private, and so without a type


class _Storage:
    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


class _Pickler02(_PicklerInPython):  # type: ignore[misc]
    """Writes tensors and text as PyTorch 0.2 did on Python 2: `_rebuild_tensor`, strings of bytes."""

    dispatch: ClassVar = dict(_PicklerInPython.dispatch)

    def __init__(self, file: Any, storages: dict[str, torch.Tensor]) -> None:
        super().__init__(file, 2)
        self.storages = storages

    def save_text(self, text: str) -> None:
        self.write(b"U" + bytes([len(text)]) + text.encode("latin-1"))
        self.memoize(text)

    dispatch[str] = save_text

    def persistent_id(self, item: Any) -> Any:
        if not isinstance(item, _Storage):
            return None
        key = str(len(self.storages))
        self.storages[key] = item.tensor
        return "storage", torch.FloatStorage, key, "cuda:0", item.tensor.numel(), None

    def reducer_override(self, item: Any) -> Any:
        if isinstance(item, torch.Tensor):
            return torch._utils._rebuild_tensor, (_Storage(item), 0, tuple(item.shape), item.stride())
        return NotImplemented


def save_as_torch_02(state: dict[str, torch.Tensor], path: Path) -> None:
    storages: dict[str, torch.Tensor] = {}
    with path.open("wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
            pickle.dump(head, file, 2)
        _Pickler02(file, storages).dump(collections.OrderedDict(state))
        pickle.dump(list(storages), file, 2)
        for tensor in storages.values():
            file.write(struct.pack("<q", tensor.numel()) + tensor.contiguous().numpy().tobytes())


def save_as_torch_1(state: dict[str, torch.Tensor], path: Path) -> None:
    torch.save(collections.OrderedDict(state), path, _use_new_zipfile_serialization=False)


def write_original(folder: Path, network: RSISNetwork, args: dict[str, Any], save: Any, prefix: str = "") -> Path:
    """The released folder of a network: two files of weights, extra keys, arguments, and an optimiser."""
    parts: dict[str, dict[str, torch.Tensor]] = {"encoder.pt": {}, "decoder.pt": {}}
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue  # there was none before PyTorch 0.4
        parts["encoder.pt" if name.startswith("encoder.") else "decoder.pt"][prefix + original_name(name)] = (
            value.float()
        )
    parts["encoder.pt"] |= {f"{prefix}base.fc.weight": torch.zeros(3, 2), f"{prefix}base.fc.bias": torch.zeros(3)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in parts.items():
        save(state, folder / name)
    (folder / "args.pkl").write_bytes(args_of_python_2(args))
    (folder / "enc_opt.pt").write_bytes(b"never opened")
    return folder
