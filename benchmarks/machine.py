"""What the figures depend on beside the code: processor, threads, versions, graphics card."""

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
        processor: Its model's name.
        flags: Those of its features that matter here and are there.
        cores: That this process may use.
        threads: That torch uses.
        torch_capability: The instruction set that torch chose.
        device: Where networks ran: "cpu", or the graphics card's name.
        python: Its version.
        torch: Its version.
        rsis: Its version.
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
        """Return the fields as JSON has them."""
        return asdict(self) | {"flags": list(self.flags)}


def describe(device: torch.device) -> Machine:
    """Look at the machine."""
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
