"""Archives whose makers give no checksum: every later download must have the bytes of the first one.

`data/raw/.checksums/NAME.json` keeps what the archives of the data set NAME were when they were first unpacked:

    {"stage1_train.zip": "sha256:6a3b..."}

It stands beside the data sets, where neither DVC, which removes `data/raw/NAME` before it fetches again, nor who
deletes `data/raw/.archives` to save space touches it. It is this folder's alone: a checksum in params.yaml is what
every clone compares with, so the log says which.
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
        path: The file that keeps them; made with the first.
        dataset: The data set's name in params.yaml.

    Raises:
        UserError: The file is there and is not such a record.
    """

    def __init__(self, path: Path, dataset: str) -> None:
        self.path = path
        self.dataset = dataset
        remedy = "remove it, and the next download counts as the first"
        self._known = read_json(path, dict[str, str], remedy) if path.exists() else {}

    def complete(self, name: str, archive: Archive) -> Archive:
        """Return the archive with the checksum of its first download, if it has none of its own."""
        if archive.checksum is not None or name not in self._known:
            return archive
        return archive.model_copy(update={"checksum": self._known[name]})

    def remedy(self, name: str, archive: Archive) -> str:
        """Say what to do when an archive has other bytes than at its first download; "" if it has a checksum."""
        if archive.checksum is not None or name not in self._known:
            return ""
        return f"; if its makers have renewed it, remove {self.path}, where the first download is recorded"

    def record(self, source: ArchiveSource, archives: Path) -> None:
        """Keep the checksums of archives that are seen for the first time; they have been unpacked, so are whole."""
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
