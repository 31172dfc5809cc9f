"""Tests of the Cityscapes client against a server with a login; credentials must never be shown."""

import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.local_server import Page, Site, serve

from rsis.data.download.cityscapes_account import credentials_file, find_packages, log_in
from rsis.data.download.fetch import fetch
from rsis.errors import UserError

USER, SECRET = "someone@example.org", "s3cret&=ü"
BODY = b"package" * 100
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the credentials of the user who runs the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for name in ("CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as running:
        running.logins[USER] = SECRET
        listing = [{"name": "gtFine_trainvaltest.zip", "packageID": "1", "size": "241MB", "thirdparty": "0"}]
        running.pages |= {
            "/login": Page(b"form", kind="text/html"),
            "/downloads/?list": Page(json.dumps(listing).encode(), cookie="member=yes"),
            "/md5-sum/?packageID=1": Page(f"{MD5}  gtFine_trainvaltest.zip\n".encode(), cookie="member=yes"),
            "/file-handling/?packageID=1": Page(BODY, cookie="member=yes", drops=[100]),
        }
        yield running


def write_credentials(text: str | None = None) -> Path:
    path = credentials_file()
    path.parent.mkdir(parents=True)
    path.write_text(text or json.dumps({"username": USER, "password": SECRET}), encoding="utf-8")
    return path


def set_variables(monkeypatch: pytest.MonkeyPatch, password: str = SECRET) -> None:
    monkeypatch.setenv("CITYSCAPES_USERNAME", USER)
    monkeypatch.setenv("CITYSCAPES_PASSWORD", password)


@pytest.mark.parametrize("by_file", [True, False])
def test_package_is_fetched_and_resumed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, by_file: bool
) -> None:
    if by_file:
        write_credentials()
    else:
        set_variables(monkeypatch)
    with caplog.at_level(logging.DEBUG), log_in(site.url) as session:
        packages = find_packages(session, site.url, ["gtFine_trainvaltest.zip"])
        assert packages["gtFine_trainvaltest.zip"].checksum == f"md5:{MD5}"
        fetch(packages["gtFine_trainvaltest.zip"], tmp_path / "gtFine_trainvaltest.zip", session)
    assert (tmp_path / "gtFine_trainvaltest.zip").read_bytes() == BODY
    assert site.forms == [{"username": [USER], "password": [SECRET], "submit": ["Login"]}]
    assert site.requests == [
        "GET /login",
        "POST /login",
        "GET /downloads/?list",
        "GET /md5-sum/?packageID=1",
        "GET /file-handling/?packageID=1",
        "GET /file-handling/?packageID=1 bytes=100-",
    ]
    assert "s3cret" not in caplog.text
    assert USER not in caplog.text


@pytest.mark.parametrize("by_file", [True, False])
def test_wrong_credentials_are_one_line_without_them(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, by_file: bool
) -> None:
    path = None
    if by_file:
        path = write_credentials(json.dumps({"username": USER, "password": "wr0ng"}))
    else:
        set_variables(monkeypatch, "wr0ng")
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError, match="does not accept the user name") as caught:
        log_in(site.url)
    where = str(path) if path else "CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD"
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)
    for text in (str(caught.value), caplog.text):
        assert "wr0ng" not in text
        assert USER not in text
    assert path is None or path.is_file()  # the user's file is never deleted


def test_no_credentials_tell_what_to_do_and_never_ask(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> str:
        raise AssertionError("asked at the terminal")

    monkeypatch.setattr("builtins.input", ask)
    monkeypatch.setattr("getpass.getpass", ask)
    with pytest.raises(UserError, match="no credentials; register at https://") as caught:
        log_in(site.url)
    message = str(caught.value)
    for part in ("CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD", str(credentials_file()), "source.path"):
        assert part in message
    assert "\n" not in message
    monkeypatch.setenv("CITYSCAPES_USERNAME", USER)
    with pytest.raises(UserError, match="CITYSCAPES_PASSWORD: not set"):
        log_in(site.url)
    assert site.requests == []


@pytest.mark.parametrize("text", ["{s3cret", '["s3cret"]', '{"username": "s3cret"}', '"s3cret"'])
def test_faulty_credential_file_is_named_not_shown(site: Site, text: str) -> None:
    path = write_credentials(text)
    with pytest.raises(UserError, match="expected JSON with username and password") as caught:
        log_in(site.url)
    assert str(caught.value).startswith(str(path))
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_password_is_not_sent_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch)
    with pytest.raises(UserError, match=r"http://example\.org: would send the password in the clear"):
        log_in("http://example.org")


@pytest.mark.parametrize(
    ("page", "content", "found"),
    [
        ("/downloads/?list", b'[{"name": "other.zip", "packageID": 7}]', "cannot fetch gtFine.*can fetch other.zip"),
        ("/downloads/?list", b"<html>", "something other than a list of packages"),
        ("/downloads/?list", b'{"a": 1}', "something other than a list of packages"),
        ("/md5-sum/?packageID=1", b"", "gives no checksum"),
        ("/md5-sum/?packageID=1", b"<html> sorry", "gives no checksum"),
    ],
)
def test_strange_answers_are_one_line(
    site: Site, monkeypatch: pytest.MonkeyPatch, page: str, content: bytes, found: str
) -> None:
    set_variables(monkeypatch)
    site.pages[page] = Page(content)
    with log_in(site.url) as session, pytest.raises(UserError, match=found) as caught:
        find_packages(session, site.url, ["gtFine_trainvaltest.zip"])
    assert "\n" not in str(caught.value)


def test_missing_server_and_page_are_one_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch)
    monkeypatch.setattr("rsis.data.download.fetch.BACKOFF", 0.0)
    with pytest.raises(UserError, match=r"127\.0\.0\.1:1/login: cannot connect; check the network"):
        log_in("http://127.0.0.1:1")
    del site.pages["/downloads/?list"]
    with log_in(site.url) as session, pytest.raises(UserError, match="answers HTTP 404"):
        find_packages(session, site.url, ["gtFine_trainvaltest.zip"])


def test_unreadable_credential_file(site: Site) -> None:
    path = write_credentials()
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match=r"credentials\.json: cannot read"):
        log_in(site.url)
    assert stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116
