"""Whether memory that a tensor has left stays with the process."""

import subprocess
import sys

import pytest

# page faults of the tenth tensor of 64 MiB, in a process that keeps its memory and in one that does not
_FAULTS = """
import resource, sys
import torch
from rsis.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(9):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.needs("linux")  # glibc's allocator
def test_freed_memory_is_used_again_without_page_faults() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", _FAULTS, how], check=True, capture_output=True).stdout)
        for how in ("keep", "as it is")
    }

    assert faults["keep"] < 100 < faults["as it is"]
