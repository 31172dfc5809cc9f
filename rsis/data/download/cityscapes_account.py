"""A client of the Cityscapes server: the requests of the official downloader `csDownload`, without its prompts.

The functions of the official downloader have a fixed server address, prompt at the terminal when they find no
credentials file, and delete that file when the password is wrong. So this module makes the same requests itself:

    GET  /login                            a cookie
    POST /login  username, password        302 when they are right
    GET  /downloads/?list                  JSON: [{"name": "gtFine_trainvaltest.zip", "packageID": "1"}, ...]
    GET  /md5-sum/?packageID=1             "<md5> <name>"
    GET  /file-handling/?packageID=1       the package

The user name and the password never appear in a message, a log or a file.
"""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import requests
from cityscapesscripts.download import downloader

from rsis.config.sources import Archive
from rsis.data.download.fetch import TIMEOUT, open_session
from rsis.errors import UserError

USERNAME, PASSWORD = "CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD"
REGISTER = "https://www.cityscapes-dataset.com/register/"


def credentials_file() -> Path:
    """Return the official downloader's credentials file: JSON with "username" and "password"."""
    return Path(downloader.appdirs.user_data_dir("cityscapesscripts", "cityscapes"), "credentials.json")


def log_in(server: str) -> requests.Session:
    """Log in with the credentials of the environment or, without these, of the credentials file.

    Args:
        server: Address such as "https://www.cityscapes-dataset.com". It must use https, except on localhost.

    Returns:
        A session that may download packages; close it after use.

    Raises:
        UserError: There are no credentials, they are wrong, the address does not use https, or the server does not
            answer as expected.
    """
    where, credentials = find_credentials()
    address = urlsplit(server)
    if address.scheme != "https" and address.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise UserError(f"{server}: would send the password in the clear; use an https address as source.server")
    session = open_session()
    try:
        _ask(session, "GET", f"{server}/login")
        answer = _ask(session, "POST", f"{server}/login", {**credentials, "submit": "Login"})
        if answer.status_code in (200, 401, 403):
            raise UserError(f"{server}: does not accept the user name and password in {where}; correct them")
        if answer.status_code != 302:
            raise UserError(f"{server}/login: answers HTTP {answer.status_code}, expected 302; try again later")
    except UserError:
        session.close()
        raise
    return session


def find_packages(session: requests.Session, server: str, names: Sequence[str]) -> dict[str, Archive]:
    """Look up packages by name.

    Args:
        session: A session from `log_in`.
        server: Address of the same server.
        names: File names such as "gtFine_trainvaltest.zip".

    Returns:
        For each name, in that order, the archive for `rsis.data.download.fetch.fetch`, with the server's checksum.

    Raises:
        UserError: The account has no access to a package, or the server does not answer as expected.
    """
    listing = _get(session, f"{server}/downloads/?list")
    try:
        ids = {entry["name"]: str(entry["packageID"]) for entry in json.loads(listing)}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{server}/downloads/?list: answers something other than a list of packages; try again later, or "
            "fetch the packages with a browser"
        ) from error
    packages = {}
    for name in names:
        if name not in ids:
            raise UserError(
                f"{server}: this account cannot fetch {name}; correct source.packages, or ask for access there; "
                f"it can fetch {', '.join(sorted(ids)) or 'nothing'}"
            )
        number = quote(ids[name], safe="")
        checksum = _get(session, f"{server}/md5-sum/?packageID={number}").split()[:1]
        if not checksum or not re.fullmatch("[0-9a-f]{32}", checksum[0]):
            raise UserError(f"{server}/md5-sum: gives no checksum for {name}; try again later")
        url = f"{server}/file-handling/?packageID={number}"
        packages[name] = Archive(urls=(url,), checksum=f"md5:{checksum[0]}")
    return packages


def find_credentials() -> tuple[str, dict[str, str]]:
    """Return the place of the credentials, for messages, and the credentials ("username", "password").

    Raises:
        UserError: There are no credentials, only one of the two variables is set, or the file is malformed.
    """
    username, password = os.environ.get(USERNAME), os.environ.get(PASSWORD)
    if username and password:
        return f"{USERNAME} and {PASSWORD}", {"username": username, "password": password}
    path = credentials_file()
    if username or password:
        raise UserError(f"{PASSWORD if username else USERNAME}: not set, though its partner is; set both or neither")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return str(path), {key: str(content[key]) for key in ("username", "password")}
    except FileNotFoundError:
        raise UserError(
            f"Cityscapes: no credentials; register at {REGISTER}, then set {USERNAME} and {PASSWORD}, or write "
            f'{{"username": ..., "password": ...}} to {path}, or name a folder with the data in source.path'
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror}); make it readable") from error
    except (ValueError, KeyError, TypeError):  # the file's text must not get into the message
        raise UserError(f"{path}: expected JSON with username and password; correct it or remove it") from None


def _get(session: requests.Session, url: str) -> str:
    answer = _ask(session, "GET", url)
    if answer.status_code != 200:
        raise UserError(f"{url}: answers HTTP {answer.status_code}, expected 200; try again later")
    return answer.text


def _ask(session: requests.Session, method: str, url: str, data: dict[str, str] | None = None) -> requests.Response:
    try:
        return session.request(method, url, data=data, allow_redirects=False, timeout=TIMEOUT)
    except requests.RequestException as error:
        reason = "no answer in time" if isinstance(error, requests.Timeout) else "cannot connect"
        raise UserError(f"{url}: {reason}; check the network and source.server, then run again") from error
