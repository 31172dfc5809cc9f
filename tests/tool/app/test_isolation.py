"""The web page's server fetches nothing and connects to nothing but itself, whatever a visitor asks for."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_model import write_small_model

# notes every connection and every look-up of a name that the server does not refuse, from the page's start on
DRIVER = """
import sys
from rsis.tool.app import isolation
def note(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        print("REACHED", *arguments[1][:2], flush=True)
    if event == "socket.getaddrinfo":
        print("ASKED", arguments[0], flush=True)
refuse = isolation.refuse_connections
def refuse_and_note(*arguments):
    refuse(*arguments)
    sys.addaudithook(note)
isolation.refuse_connections = refuse_and_note
from rsis.cli.main import main
main()
"""
OTHER = "203.0.113.7"  # an address of documentation


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Yield the port of a page and the log of its connections."""
    folder = tmp_path_factory.mktemp("app")
    write_small_model(folder / "small.safetensors")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "app.log"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    environment.pop("HTTP_PROXY", None)
    uploads_of_the_dead = folder / "rsis-demo.999999999.x"
    uploads_of_the_dead.mkdir()
    command = [sys.executable, "-c", DRIVER, "demo-app", "small.safetensors", "--no-browser", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        for _ in range(1200):
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5).close()
                break
            time.sleep(0.1)
        assert not uploads_of_the_dead.exists()
        yield port, log
    finally:
        process.terminate()
        process.wait(60)


def ask(port: int, path: str, body: object = None) -> int:
    """Return the status of the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read(200)
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_no_request_makes_the_server_reach_out(server: tuple[int, Path]) -> None:
    port, log = server
    for address in (f"http://{OTHER}/x.png", "https://example.org/x.png", f"HTTP://{OTHER}/x.png"):
        for path in (f"/gradio_api/file={address}", f"/gradio_api/file%3D{address}", f"/gradio_api/proxy={address}"):
            assert ask(port, path) >= 400, path
    assert ask(port, "/gradio_api/runs") >= 400
    for function in range(8):
        address = "https://example.org/x.png" if function % 2 else f"http://{OTHER}/x.png"
        picture = {"path": address, "url": address, "meta": {"_type": "gradio.FileData"}}
        call = {"data": [picture, 0.5, 0.5, False, 64], "fn_index": function, "session_hash": "abc", "trigger_id": 1}
        ask(port, "/gradio_api/queue/join", call)
        ask(port, "/gradio_api/run/predict", call)
        ask(port, "/gradio_api/run/look", call)
    time.sleep(3)  # the queue answers later
    assert ask(port, "/") == 200  # it still serves
    config = urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=30)
    with config:
        assert json.load(config)["run_history"] is False
    lines = log.read_text().splitlines()
    reached = {tuple(line.split()[1:]) for line in lines if line.startswith("REACHED")}
    assert {host for host, _ in reached} <= {"127.0.0.1"}, reached
    assert {target for _, target in reached} <= {str(port)}, reached
    asked = {line.split()[1] for line in lines if line.startswith("ASKED")}
    assert asked <= {"127.0.0.1", "b'127.0.0.1'", "localhost", "None"}, asked
