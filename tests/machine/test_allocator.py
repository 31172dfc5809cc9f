"""Test that a process keeps the memory of freed tensors and uses it again."""

import subprocess
import sys

import pytest

# Prints the lowest number of page faults among the last ten of twenty tensors of 64 MiB.
# The lowest, since a small block in the way may force one tensor into new memory.
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
