"""The Cityscapes server, asked as the official downloader `csDownload` asks it, but never with a prompt.

The official functions have the server's address built in, ask at the terminal when they find no credential
file, and delete that file when the password is wrong. So its requests are made here instead:

    GET  /login                            a cookie
    POST /login  username, password        302 when they are right
    GET  /downloads/?list                  JSON: [{"name": "gtFine_trainvaltest.zip", "packageID": "1"}, ...]
    GET  /md5-sum/?packageID=1             "<md5> <name>"
    GET  /file-handling/?packageID=1       the package

User name and password appear in no message, log or file.
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
    """Return where the official downloader keeps its credentials: JSON with "username" and "password"."""
    return Path(downloader.appdirs.user_data_dir("cityscapesscripts", "cityscapes"), "credentials.json")


def log_in(server: str) -> requests.Session:
    """Log in with the environment's credentials, or else those in the credential file.

    Args:
        server: Address such as "https://www.cityscapes-dataset.com". It must be https, unless it is this
            machine's own.

    Returns:
        A session that may fetch packages; close it after use.

    Raises:
        UserError: There are no credentials or they are wrong, or the server does not answer.
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
        session: What `log_in` returns.
        server: The same server.
        names: File names such as "gtFine_trainvaltest.zip".

    Returns:
        For each name, in that order, what `rsis.data.download.fetch.fetch` needs, with the server's own checksum.

    Raises:
        UserError: The account cannot have a package, or the server answers something else.
    """
    listing = _get(session, f"{server}/downloads/?list")
    try:
        ids = {entry["name"]: str(entry["packageID"]) for entry in json.loads(listing)}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{server}/downloads/?list: answers something other than a list of packages; try again later, or "
            "fetch the packages with a browser"
        ) from error
    found = {}
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
        found[name] = Archive(urls=(url,), checksum=f"md5:{checksum[0]}")
    return found


def find_credentials() -> tuple[str, dict[str, str]]:
    """Return where the credentials stand, for messages, and the credentials.

    Raises:
        UserError: There are none, or one of the two is missing; says what to do.
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
    except (ValueError, KeyError, TypeError):  # its text must not reach any message
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
