"""Whether memory that a tensor has left stays with the process."""

import subprocess
import sys

import pytest

# The fewest page faults of any of ten tensors of 64 MiB, in a process that keeps its memory and in one that does not.
# The fewest: now and then a small block lies in the way, and one tensor is given new memory.
_FAULTS = """
import resource, sys
import torch
from rsis.machine.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults = []
for _ in range(20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults[10:]))
"""


@pytest.mark.slow
@pytest.mark.needs("linux")  # glibc's allocator
def test_freed_memory_is_used_again_without_page_faults() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", _FAULTS, how], check=True, capture_output=True).stdout)
        for how in ("keep", "as it is")
    }

    assert faults["keep"] < 100 < faults["as it is"]
