"""Tests of fetching from a local server that interrupts connections, answers with errors and sends wrong bytes."""

import gzip
import hashlib
import logging
import random
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.local_server import Page, Site

from rsis.config.sources import Archive
from rsis.data.download import fetch as fetch_module
from rsis.data.download.fetch import fetch
from rsis.errors import UserError

CONTENT = random.Random(0).randbytes(5000)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make repetitions start without a wait."""
    monkeypatch.setattr(fetch_module, "BACKOFF", 0.0)


def archive(*urls: str, content: bytes = CONTENT, sized: bool = True, algorithm: str = "sha256") -> Archive:
    checksum = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    return Archive(urls=urls, size=len(content) if sized else None, checksum=checksum)


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize("sized", [True, False])
def test_file_arrives_and_is_not_fetched_again(site: Site, tmp_path: Path, algorithm: str, sized: bool) -> None:
    site.pages["/a.tar"] = Page(CONTENT)
    target = tmp_path / "new" / "a.tar"
    wanted = archive(f"{site.url}/a.tar", sized=sized, algorithm=algorithm)
    fetch(wanted, target)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["a.tar"]
    fetch(wanted, target)
    assert site.requests == ["GET /a.tar"]


@pytest.mark.parametrize("sized", [True, False])
def test_cut_connection_is_taken_up_where_it_broke(site: Site, tmp_path: Path, sized: bool) -> None:
    site.pages["/a.tar"] = Page(CONTENT, drops=[2000, 1500])
    fetch(archive(f"{site.url}/a.tar", sized=sized), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert site.requests == ["GET /a.tar", "GET /a.tar bytes=2000-", "GET /a.tar bytes=3500-"]


def test_what_a_former_run_left_is_taken_up(site: Site, tmp_path: Path) -> None:
    site.pages["/a.tar"] = Page(CONTENT)
    (tmp_path / "a.tar.part").write_bytes(CONTENT[:4321])
    fetch(archive(f"{site.url}/a.tar"), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert site.requests == ["GET /a.tar bytes=4321-"]
    assert not (tmp_path / "a.tar.part").exists()


@pytest.mark.parametrize(("sized", "requests"), [(True, []), (False, ["GET /a.tar bytes=5000-"])])
def test_complete_part_needs_only_its_name(site: Site, tmp_path: Path, sized: bool, requests: list[str]) -> None:
    site.pages["/a.tar"] = Page(CONTENT)
    (tmp_path / "a.tar.part").write_bytes(CONTENT)
    fetch(archive(f"{site.url}/a.tar", sized=sized), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert site.requests == requests


@pytest.mark.parametrize("sized", [True, False])
def test_part_that_is_too_long_is_started_over(site: Site, tmp_path: Path, sized: bool) -> None:
    site.pages["/a.tar"] = Page(CONTENT)
    (tmp_path / "a.tar.part").write_bytes(CONTENT + b"more")
    fetch(archive(f"{site.url}/a.tar", sized=sized), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_server_without_ranges_sends_it_all_again(site: Site, tmp_path: Path) -> None:
    site.pages["/a.tar"] = Page(CONTENT, ranges=False, drops=[3000])
    fetch(archive(f"{site.url}/a.tar"), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert site.requests == ["GET /a.tar", "GET /a.tar bytes=3000-"]


def test_body_of_unknown_length_that_is_cut_goes_on(site: Site, tmp_path: Path) -> None:
    site.pages["/a.tar"] = Page(CONTENT, announce=False, drops=[700])
    fetch(archive(f"{site.url}/a.tar"), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert site.requests[1] == "GET /a.tar bytes=700-"


@settings(deadline=None, derandomize=True, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drops=st.lists(st.integers(1, 1500), max_size=3), left=st.integers(0, 5000), ranges=st.booleans())
def test_any_interruptions_give_the_file(
    site: Site, tmp_path_factory: pytest.TempPathFactory, drops: list[int], left: int, ranges: bool
) -> None:
    target = tmp_path_factory.mktemp("any") / "a.tar"
    site.pages["/a.tar"] = Page(CONTENT, ranges=ranges, drops=list(drops))
    target.with_name("a.tar.part").write_bytes(CONTENT[:left])
    fetch(archive(f"{site.url}/a.tar"), target)
    assert target.read_bytes() == CONTENT


def test_server_that_never_gets_further_is_given_up(site: Site, tmp_path: Path) -> None:
    site.pages["/a.tar"] = Page(CONTENT, ranges=False, drops=[1000] * 100)
    with pytest.raises(UserError, match=r"connection was lost, 4 times at the same place") as caught:
        fetch(archive(f"{site.url}/a.tar"), tmp_path / "a.tar")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "a.tar") in str(caught.value)


def test_errors_of_the_server_are_waited_out(site: Site, tmp_path: Path) -> None:
    site.pages["/a.tar"] = Page(CONTENT, statuses=[500, 503, 429])
    fetch(archive(f"{site.url}/a.tar"), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert len(site.requests) == 4


def test_mirror_continues_what_another_began(site: Site, tmp_path: Path) -> None:
    site.pages["/first.tar"] = Page(CONTENT, drops=[1234], statuses=[])
    site.pages["/second.tar"] = Page(CONTENT)
    wanted = archive(f"{site.url}/gone.tar", f"{site.url}/first.tar", f"{site.url}/second.tar")
    site.pages["/first.tar"].drops += [0] * 50  # after 1234 bytes, every connection is interrupted at once
    fetch(wanted, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert site.requests[0] == "GET /gone.tar"
    assert site.requests[-1] == "GET /second.tar bytes=1234-"


def test_corrupt_file_is_named_removed_and_fetched_again_once(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site.pages["/a.tar"] = Page(CONTENT, corrupt=1)
    with caplog.at_level(logging.WARNING):
        fetch(archive(f"{site.url}/a.tar"), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert site.requests == ["GET /a.tar", "GET /a.tar"]
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path / 'a.tar'}: corrupt as fetched from {site.url}/a.tar: sha256 ")
    assert message.endswith("removed, fetching it again")
    site.pages["/a.tar"].corrupt = 99
    (tmp_path / "a.tar").unlink()
    with pytest.raises(
        UserError, match=r"a\.tar: corrupt .* removed after 2 such downloads; fetch it by other"
    ) as caught:
        fetch(archive(f"{site.url}/a.tar"), tmp_path / "a.tar")
    assert "\n" not in str(caught.value)
    assert len(site.requests) == 4
    assert list(tmp_path.iterdir()) == []


def test_corrupt_file_that_is_there_is_replaced(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site.pages["/a.tar"] = Page(CONTENT)
    for rotten in (CONTENT[:-1], CONTENT[:-1] + b"\0"):
        (tmp_path / "a.tar").write_bytes(rotten)
        fetch(archive(f"{site.url}/a.tar"), tmp_path / "a.tar")
        assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert [message.split(":")[0] for message in caplog.messages] == [str(tmp_path / "a.tar")] * 2


def test_corrupt_mirror_is_followed_by_the_next(site: Site, tmp_path: Path) -> None:
    site.pages |= {"/bad.tar": Page(CONTENT, corrupt=99), "/good.tar": Page(CONTENT)}
    fetch(archive(f"{site.url}/bad.tar", f"{site.url}/good.tar"), tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == CONTENT
    assert site.requests == ["GET /bad.tar", "GET /good.tar"]


def test_compressed_file_is_stored_as_it_is(site: Site, tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT, mtime=0)
    site.pages["/a.tgz"] = Page(packed, headers={"Content-Encoding": "gzip"}, kind="application/x-tar")
    fetch(archive(f"{site.url}/a.tgz", content=packed), tmp_path / "a.tgz")
    assert (tmp_path / "a.tgz").read_bytes() == packed


def test_no_address_answers(site: Site, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/a.tar"
        site.pages |= {
            "/short": Page(CONTENT[:10]),
            "/page": Page(b"<html>moved", kind="text/html; charset=utf-8"),
            "/down": Page(CONTENT, statuses=[503] * 9),
        }
        paths = ("/none?token=hidden", "/short", "/page", "/down")
        urls = [f"{site.url.replace('//', '//user:hidden@')}{path}" for path in paths]
        with pytest.raises(UserError) as caught:
            fetch(archive(*urls, closed, "http://.old/a.tar"), tmp_path / "a.tar")
    message = str(caught.value)
    for reason in (
        f"{site.url}/none (HTTP 404)",
        f"{site.url}/short (offers 10 bytes, expected 5000)",
        f"{site.url}/page (a web page in place of the file)",
        f"{site.url}/down (HTTP 503)",
        f"{closed} (cannot connect)",
        "http://.old/a.tar (not usable, InvalidURL)",
        f"put it at {tmp_path / 'a.tar'}",
    ):
        assert reason in message
    assert "hidden" not in message
    assert "\n" not in message


def test_full_disk_keeps_what_arrived(site: Site, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(3_000_000)
    site.pages["/a.tar"] = Page(content)
    wanted = archive(f"{site.url}/a.tar", content=content)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, old[1]))
    try:
        with pytest.raises(UserError, match=r"a\.tar\.part: cannot write \(File too large\); free the space") as caught:
            fetch(wanted, tmp_path / "a.tar")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert "\n" not in str(caught.value)
    left = (tmp_path / "a.tar.part").read_bytes()
    assert 0 < len(left) <= 1_500_000
    assert content.startswith(left)
    fetch(wanted, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == content
    assert site.requests[-1] == f"GET /a.tar bytes={len(left)}-"


def _no_space(folder: Path) -> None:
    (folder / "a.tar.part").symlink_to("/dev/full")


def _in_the_way(folder: Path) -> None:
    (folder / "a.tar.part").mkdir()


@pytest.mark.parametrize(
    ("obstacle", "reason"), [(_no_space, "No space left on device"), (_in_the_way, "Is a directory")]
)
def test_what_cannot_be_written_is_one_line(
    site: Site, tmp_path: Path, obstacle: Callable[[Path], None], reason: str
) -> None:
    site.pages["/a.tar"] = Page(CONTENT)
    obstacle(tmp_path)
    with pytest.raises(UserError, match=f"{reason}.*what has arrived is kept") as caught:
        fetch(archive(f"{site.url}/a.tar", sized=False), tmp_path / "a.tar")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.tar").exists()
