"""The `rsis` command, run in the tests' own process, since a new process takes seconds to start."""

import contextlib
import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rsis.cli.main import main


def rsis(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, in one thread; return its exit code and its output."""
    output, errors = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level, threads = root.handlers, root.level, torch.get_num_threads()
    root.handlers = []  # with pytest's handlers the command would not set up its own
    torch.set_num_threads(1)
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
            pytest.raises(SystemExit) as ended,
        ):
            patch.setattr(sys, "argv", ["rsis", *arguments])
            patch.setenv("COLUMNS", "200")
            main()
    finally:
        root.handlers, root.level = handlers, level
        torch.set_num_threads(threads)
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), output.getvalue(), errors.getvalue())


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command in the working directory; return its exit code. Pytest captures the output."""
    monkeypatch.setattr(sys, "argv", ["rsis", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
