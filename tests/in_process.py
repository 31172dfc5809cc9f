"""The `rsis` command without a process of its own, which takes seconds to start."""

import contextlib
import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from rsis.cli import main


def rsis(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the installed command does in a folder: its exit code and what it prints, as `test_cli.rsis` gives them."""
    output, errors = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []  # pytest's would keep the command from setting up its own
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
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), output.getvalue(), errors.getvalue())
