"""The `rsis` command."""

import os
import signal
import sys
from typing import Any


def end_at_once(*_: Any) -> None:
    """Handle Ctrl-C before there is anything to clean up."""
    os.write(2, b"rsis: interrupted\n")
    os._exit(130)


# Until `main` runs, Ctrl-C would show the traceback of an import. Only in the process of the command itself.
if os.path.basename(sys.argv[0] if sys.argv else "") in ("rsis", "rsis.exe") and (  # noqa: PTH119 - pathlib is slow
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, end_at_once)
