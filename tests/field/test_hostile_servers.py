"""Answers of broken and hostile servers end in one line, without secrets, and nothing incomplete is kept."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.small_model import write_small_model

from rsis.checkpoint import fetch as checkpoint_fetch
from rsis.checkpoint.fetch import local_file
from rsis.config.sources import Archive
from rsis.data.download import fetch as archive_fetch
from rsis.data.download.fetch import fetch
from rsis.errors import UserError


@contextmanager
def answering(answer: bytes, then: bytes = b"", wait: float = 0.0) -> Iterator[str]:
    """Answer every request with these bytes, then again and again with `then`, and close; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.recv(65536)
                    connection.sendall(answer)
                    while then and not done.is_set():
                        time.sleep(wait)
                        connection.sendall(then)
                    while wait and not done.is_set():
                        time.sleep(0.05)
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://user:s3cret@127.0.0.1:{server.getsockname()[1]}/m.safetensors?token=s3cret"
        finally:
            done.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(checkpoint_fetch, "_TIMEOUT", (2.0, 0.5))
    monkeypatch.setattr(checkpoint_fetch, "_SLOW_AFTER", 0.3)
    monkeypatch.setattr(archive_fetch, "TIMEOUT", (2.0, 0.5))
    monkeypatch.setattr(archive_fetch, "BACKOFF", 0.0)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors").read_bytes()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ANSWERS: dict[str, tuple[bytes, bytes, float]] = {
    "nothing": (b"", b"", 0),
    "garbage": (b"\x00\xff\xfe garbage\r\n\r\n", b"", 0),
    "no status": (b"HTTP/1.1 abc OK\r\n\r\n", b"", 0),
    "a length of 5000 digits": (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nxx", b"", 0),
    "a length that is no number": (OK + b"Content-Length: x\r\n\r\nxx", b"", 0),
    "a long line": (OK + b"X: " + b"a" * 70_000 + b"\r\n\r\n", b"", 0),
    "many headers": (OK + b"X: a\r\n" * 200 + b"\r\n", b"", 0),
    "no such file": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"", 0),
    "a fault": (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"", 0),
    "a web page": (OK + b"Content-Type: text/html\r\nContent-Length: 15\r\n\r\n<html> </html> ", b"", 0),
    "a local file": (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", b"", 0),
    "a circle": (b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b"", 0),
    "chunks that end early": (CHUNKED + b"ffff\r\nabc", b"", 0),
    "chunks of no length": (CHUNKED + b"zz\r\nabc\r\n", b"", 0),
    "a length below 0": (CHUNKED + b"-5\r\nabc\r\n", b"", 0),
    "too short": (OK + b"Content-Length: 3\r\n\r\nabc", b"", 0),
    "a header of a petabyte": (OK + b"\r\n" + b"\xff" * 6 + b"\x00\x00{}", b"", 0),
    "deep JSON": (OK + b"\r\n" + (50_000).to_bytes(8, "little") + b"[" * 50_000, b"", 0),
    "offsets that are text": (OK + b"\r\n" + (27).to_bytes(8, "little") + b'{"a":{"data_offsets":"xy"}}', b"", 0),
    "silence": (OK + b"Content-Length: 1000\r\n\r\n", b"", 3),
    "silence before anything": (b"", b"", 3),
    "a drop at a time": (OK + b"Content-Length: 100000000\r\n\r\n" + (99).to_bytes(8, "little") + b"{", b" ", 0.1),
    "no end": (OK + b"\r\n" + (2).to_bytes(8, "little") + b"{}", b"x" * 65536, 0),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_checkpoint_that_does_not_arrive(name: str, cache: Path) -> None:
    began = time.monotonic()
    with answering(*ANSWERS[name]) as address, pytest.raises(UserError) as caught:
        local_file(address)
    assert time.monotonic() - began < 10
    message = str(caught.value)
    assert "m.safetensors: cannot be fetched (" in message
    assert message.endswith("correct the address, or fetch it yourself")
    assert "s3cret" not in message
    assert message.isprintable()
    assert [path for path in cache.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("missing", [1, 1000])
def test_a_body_that_is_cut_is_not_kept_and_fetched_again(
    model: bytes, cache: Path, announced: bool, missing: int
) -> None:
    head = OK + (f"Content-Length: {len(model)}\r\n".encode() if announced else b"") + b"\r\n"
    with answering(head + model[:-missing]) as address, pytest.raises(UserError, match="cannot be fetched"):
        local_file(address)
    assert [path for path in cache.rglob("*") if path.is_file()] == []
    with answering(head + model) as address:
        path = local_file(address)
        assert path.read_bytes() == model
        path.write_bytes(model[:5000])  # as earlier versions left it
        assert local_file(address).read_bytes() == model
    assert local_file(address) == path  # from the cache: the server is gone


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http://[::1/x",
        "http://127.0.0.1:abc/x",
        "http://127.0.0.1:99999/x",
        "http://\ud800/x",
        "http://a\x00b/",
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UserError):
        local_file(address)


@pytest.mark.parametrize("path", ["/..", "/" + "a" * 300, "/a%20b/%2e%2e%2fx", "/é\n"])
def test_names_stay_in_the_cache(model: bytes, cache: Path, path: str) -> None:
    with answering(OK + b"\r\n" + model) as address:
        found = local_file(address.replace("/m.safetensors", path))
    assert found.is_relative_to(cache)
    assert found.read_bytes() == model


SAME = {
    "nothing",
    "garbage",
    "no status",
    "a long line",
    "many headers",
    "a length of 5000 digits",
    "a local file",
    "a circle",
}


@pytest.mark.parametrize("name", sorted(SAME))
def test_an_archive_that_does_not_arrive(name: str, tmp_path: Path) -> None:
    with answering(*ANSWERS[name]) as address, pytest.raises(UserError) as caught:
        fetch(Archive(urls=(address,), checksum="md5:" + "0" * 32), tmp_path / "a.zip")
    assert "a.zip: " in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert not (tmp_path / "a.zip").exists()


def test_an_archive_is_no_larger_than_it_was_said_to_be(tmp_path: Path) -> None:
    with answering(OK + b"\r\n", b"x" * 65536) as address, pytest.raises(UserError, match="more than the 1000 bytes"):
        fetch(Archive(urls=(address,), size=1000), tmp_path / "a.zip")
    assert sum(path.stat().st_size for path in tmp_path.glob("a.zip*")) < 3 * 2**20
