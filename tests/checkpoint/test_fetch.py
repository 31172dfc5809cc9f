"""Data and results are exchanged between two machines through a DVC remote: here a real SSH server on localhost."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.command_line import TINY
from support.project import Project, project_in

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")


@dataclass(frozen=True)
class Server:
    """An SSH server: its port, and the key of its only user."""

    port: int
    key: Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    assert SSHD is not None
    folder = tmp_path / "sshd"
    folder.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
        "PidFile": folder / "pid",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in options.items()))
    Path("/run/sshd").mkdir(exist_ok=True)  # the server confines its unprivileged processes there
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "config"], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield Server(port, folder / "user")
    finally:
        process.terminate()
        process.communicate()


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.pipeline
@pytest.mark.needs("ssh")
def test_what_one_machine_pushes_another_pulls(tmp_path: Path, server: Server) -> None:
    here = project_in(tmp_path / "here", TINY)
    here.run("git", "init", "-q")
    here.run("dvc", "init", "-q")
    here.run("dvc", "repro", "prepare@plants")
    store = f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}{tmp_path}/store"
    here.run("dvc", "remote", "add", "--default", "store", store)
    here.run("dvc", "remote", "modify", "--local", "store", "keyfile", str(server.key))
    here.commit("Prepare")
    here.run("dvc", "push")
    assert any((tmp_path / "store").rglob("*"))

    here.run("git", "clone", "-q", str(here.folder), str(tmp_path / "there"))
    there = Project(tmp_path / "there")
    there.run("dvc", "remote", "modify", "--local", "store", "keyfile", str(server.key))
    assert not (there.folder / "data").exists()
    there.run("dvc", "pull", "download@plants", "prepare@plants")
    assert files_of(there.folder / "data") == files_of(here.folder / "data")
    there.run("snakemake", "--touch", "--cores", "1", "data/processed/plants")
    assert "Nothing to be done" in there.run("snakemake", "-n", "data/processed/plants")
