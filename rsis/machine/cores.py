"""The processor of this machine: its name, its instruction sets, and the number of cores this process may use."""

import os
import platform
from pathlib import Path

# the instruction sets that matter to torch, named as in /proc/cpuinfo
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "sve")


def available_cores() -> int:
    """Return the number of cores that this process may use: on a cluster those of its job, not all of the node."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> tuple[str, tuple[str, ...]]:
    """Return the processor's name, and those of `FLAGS` that it has; none of these without /proc/cpuinfo."""
    info = _cpuinfo()
    present = set(info.get("flags", info.get("Features", "")).split())
    return info.get("model name", platform.processor() or platform.machine()), tuple(f for f in FLAGS if f in present)


def describe_machine() -> str:
    """Return a description such as "Intel(R) Xeon(R) Processor, 2 cores, AVX-512, AMX"."""
    name, flags = processor()
    cores = available_cores()
    families = {"avx512f": "AVX-512", "amx_bf16": "AMX", "sve": "SVE"}
    known = [text for flag, text in families.items() if flag in flags]
    return ", ".join([name, f"{cores} core{'s' * (cores != 1)}", *known])


def _cpuinfo() -> dict[str, str]:
    """Return the entries of the first processor in /proc/cpuinfo; an empty dict when the file does not exist."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text().split("\n\n")[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}
