"""The networks that the web page offers: each is read when a visitor chooses it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from rsis.errors import UserError
from rsis.tool.predictor import RSIS

_KEPT = 2  # networks in memory at a time


class Models:
    """Networks to choose among; the last two that were asked for stay in memory.

    Args:
        sources: Checkpoint files or addresses, one at least.
        device: See `RSIS.from_checkpoint`.

    Attributes:
        names: A name for each, unique.
        first: Position of the first one that can be read: the one that the page begins with.

    Raises:
        UserError: None of them can be read; the fault of the first one.
    """

    def __init__(self, sources: Sequence[str], device: str | None = None) -> None:
        self._sources, self._device = tuple(sources), device
        self._read: OrderedDict[int, RSIS] = OrderedDict()
        self._lock = threading.Lock()
        stems = [Path(source).stem for source in sources]
        self.names = tuple(
            stem if stems.count(stem) == 1 else source for stem, source in zip(stems, sources, strict=True)
        )
        self.first = self._first()

    def __getitem__(self, number: int) -> RSIS:
        """Return a network by its position; it is read now if it is not in memory.

        Raises:
            UserError: It cannot be read, or there is no such position.
        """
        if not 0 <= number < len(self._sources):
            raise UserError(f"network {number + 1}: there are 1 to {len(self._sources)}; choose one of them")
        with self._lock:  # two visitors who choose the same network read it once
            if number not in self._read:
                self._read[number] = RSIS.from_checkpoint(self._sources[number], device=self._device)
            self._read.move_to_end(number)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
            return self._read[number]

    def chosen(self, number: str | None) -> RSIS:
        """Return the network that a visitor chose by its number; None is the first one that can be read.

        Raises:
            UserError: As for a position.
        """
        return self[int(number) if number is not None and number.isdecimal() else self.first]

    def _first(self) -> int:
        faults = []
        for number in range(len(self._sources)):
            try:
                self[number]
            except UserError as error:
                faults.append(error)
            else:
                return number
        raise faults[0]


def found_in(folder: Path) -> list[str]:
    """Return the paths of the checkpoints in a folder, sorted.

    Raises:
        UserError: There is none.
    """
    found = sorted(str(path) for path in folder.glob("*.safetensors") if path.is_file())
    if not found:
        raise UserError(f"{folder}: has no *.safetensors file; name one checkpoint, as in `rsis demo-app FILE`")
    return found
