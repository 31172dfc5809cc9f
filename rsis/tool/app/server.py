"""Serve the web page of `rsis.tool.app.page` on this machine until the process is interrupted."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path

from starlette.middleware import Middleware

from rsis.errors import UserError
from rsis.tool.app.isolation import NoFetching, refuse_connections
from rsis.tool.app.models import Models
from rsis.tool.app.page import Page
from rsis.tool.app.parts import theme

_log = logging.getLogger(__name__)
_UPLOADS = "rsis-demo."  # start of the name of the folder for uploads; the process id follows
_SESSIONS = 20  # most sessions whose pictures are kept in memory
_CSS = """
.gradio-container { max-width: 1200px !important; margin: 0 auto; }
#steps .bar { display: flex; align-items: center; gap: 0.5em; font-variant-numeric: tabular-nums; font-size: 0.9em; }
#steps .bar span:first-child { width: 1.8em; text-align: right; opacity: 0.7; }
#steps .bar div { height: 0.7em; border-radius: 2px; background: #0072b2; }
#steps .bar.off div { background: #999; }
"""


def serve(models: Models, host: str, port: int, *, browser: bool, examples: Path | None = None) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Args:
        models: The networks to choose among.
        host: Address to listen on.
        port: Port to listen on.
        browser: Whether to open the page in the user's browser.
        examples: A folder with pictures to click on; None chooses them (see `Page`).

    Raises:
        UserError: The server cannot listen on this host and port, or there are no examples in their folder.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else it logs the requests by which Gradio tests its server
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number and number > 0 else error
        raise UserError(f"{host}:{port}: cannot listen there ({reason}); choose another --port or --host") from error
    page_of_models = Page(models, examples)
    _sweep()
    with tempfile.TemporaryDirectory(prefix=f"{_UPLOADS}{os.getpid()}.") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # for uploads and downloads; deleted at the end
        page = page_of_models.build()
        refuse_connections(host, port)
        page.launch(
            server_name=host,
            server_port=port,
            inbrowser=browser,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            state_session_capacity=_SESSIONS,
            max_file_size="200mb",
            footer_links=[],
            run_history=False,
            app_kwargs={"middleware": [Middleware(NoFetching)]},
            css=_CSS,
            theme=theme(),
        )
        _log.info("http://%s:%d is open; Ctrl-C ends it", host, port)
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        try:
            stopped.wait()
        finally:  # also after Ctrl-C; Gradio's own shutdown would wait until all browsers close the page
            page.close(verbose=False)


def _sweep() -> None:
    """Remove the uploads that killed servers of this user left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_UPLOADS}*"):
        pid = folder.name.removeprefix(_UPLOADS).partition(".")[0]
        with contextlib.suppress(OSError):
            if pid.isdecimal() and not _is_alive(int(pid)) and folder.stat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True
