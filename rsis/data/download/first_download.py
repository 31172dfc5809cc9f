"""Checksums of archives without a published checksum: every later download must have the bytes of the first one.

`data/raw/.checksums/NAME.json` records the checksums of the archives of data set NAME when they were first unpacked:

    {"stage1_train.zip": "sha256:6a3b..."}

The record lies beside the data sets. So it stays when DVC removes `data/raw/NAME` before it fetches again, and when a
user deletes `data/raw/.archives` to save space. The record is local to this clone; only a checksum in params.yaml
holds for all clones, so the log shows the checksum to put there.
"""

import logging
from pathlib import Path

from rsis.config.sources import Archive, ArchiveSource
from rsis.files.atomic import read_json, write_json
from rsis.files.digests import sha256_of

_log = logging.getLogger(__name__)


class FirstDownloads:
    """The checksums of a data set's archives at their first download.

    Args:
        path: The file of the record; it need not exist yet.
        dataset: The data set's name in params.yaml.

    Raises:
        UserError: The file exists and is not such a record.
    """

    def __init__(self, path: Path, dataset: str) -> None:
        self.path = path
        self.dataset = dataset
        remedy = "remove it, and the next download counts as the first"
        self._known = read_json(path, dict[str, str], remedy) if path.exists() else {}

    def complete(self, name: str, archive: Archive) -> Archive:
        """Return the archive; if it has no checksum, with the checksum of its first download, if there was one."""
        if archive.checksum is not None or name not in self._known:
            return archive
        return archive.model_copy(update={"checksum": self._known[name]})

    def remedy(self, name: str, archive: Archive) -> str:
        """Return the advice for an archive whose bytes differ from its first download.

        Returns:
            The end of an error message; "" when the archive has a checksum of its own or no recorded one.
        """
        if archive.checksum is not None or name not in self._known:
            return ""
        return f"; if its makers have renewed it, remove {self.path}, where the first download is recorded"

    def record(self, source: ArchiveSource, archives: Path) -> None:
        """Record the checksums of new archives; call it after they were unpacked, which shows that they are complete.

        Args:
            source: The source section that lists the archives.
            archives: Folder of the fetched archives.
        """
        new = {
            name: f"sha256:{sha256_of(archives / name)}"
            for name, archive in source.files.items()
            if archive.checksum is None and name not in self._known
        }
        if not new:
            return
        self._known |= new
        write_json(self.path, self._known)
        for name, checksum in new.items():
            _log.info(
                "%s: recorded %s; put it into params.yaml as checksum to have every clone compare with it "
                "(datasets.%s.source.files)",
                name,
                checksum,
                self.dataset,
            )
