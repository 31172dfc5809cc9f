"""Python in a process of its own with little memory: what a hostile file claims must not be taken."""

import resource
import subprocess
import sys


def run_with_memory(code: str, limit: int) -> str:
    """Run Python code that must end with an error; return what it printed on standard error.

    Args:
        code: The code.
        limit: Most bytes of data of the process.
    """
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert ended.returncode
    return ended.stderr
