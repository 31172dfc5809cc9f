"""What the results depend on besides the code: processor, threads, versions, GPU."""

import platform
from dataclasses import asdict, dataclass
from typing import Any

import torch

import rsis
from rsis.machine.cores import available_cores, processor


@dataclass(frozen=True)
class Machine:
    """Facts about the machine and the software.

    Attributes:
        processor: Name of its model.
        flags: Its features among those that affect the results.
        cores: Number of cores that this process may use.
        threads: Number of threads that torch uses.
        torch_capability: The instruction set that torch chose.
        device: The device of the networks: "cpu", or the name of the GPU.
        python: Version of Python.
        torch: Version of torch.
        rsis: Version of rsis.
    """

    processor: str
    flags: tuple[str, ...]
    cores: int
    threads: int
    torch_capability: str
    device: str
    python: str
    torch: str
    rsis: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"flags": list(self.flags)}


def describe(device: torch.device) -> Machine:
    """Return the facts about this machine."""
    name, flags = processor()
    return Machine(
        processor=name,
        flags=flags,
        cores=available_cores(),
        threads=torch.get_num_threads(),
        torch_capability=torch.backends.cpu.get_cpu_capability(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        python=platform.python_version(),
        torch=torch.__version__,
        rsis=rsis.__version__,
    )
