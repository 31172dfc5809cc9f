"""What `rsis init` finds in a user's folder and makes of it: layout, how the files are read, figures, a suggestion."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from rsis.config.datasets import AnyDataset, Dataset
from rsis.machine.pixels import allow_pixels
from rsis.own_data.crowd import choose_crowd
from rsis.own_data.findings import Findings, inspect
from rsis.own_data.reading import Reading, find_reading
from rsis.own_data.recognize import recognize
from rsis.own_data.recognized import Recognized
from rsis.own_data.suggest import Suggestion, suggest


@dataclass(frozen=True)
class Wishes:
    """What the user has said about the files; None where the files decide.

    Attributes:
        class_name: Class of the objects, for formats without classes.
        crowd: What annotations with `iscrowd` are, for COCO JSON.
        page: The page of TIFF stacks to use, from 1.
        channels: Channels that become red, green and blue, or grey, from 1.
        max_pixels: Most pixels of a picture that is read.
    """

    class_name: str
    crowd: Literal["ignore", "object"] | None = None
    page: int | None = None
    channels: tuple[int, ...] | None = None
    max_pixels: int | None = None


@dataclass(frozen=True)
class Examined:
    """A user's folder, examined.

    Attributes:
        recognized: Its layout and splits.
        reading: How its files are read.
        findings: Figures and problems of its images.
        chosen: The suggested parameters of a run.
        notes: One line for each thing that the user should know of, but for images that are left out.
    """

    recognized: Recognized
    reading: Reading
    findings: Findings
    chosen: Suggestion
    notes: tuple[str, ...]


def examine(folder: Path, title: str, wishes: Wishes) -> Examined:
    """Recognise the layout of a folder, read its images, and suggest a run.

    Args:
        folder: The user's folder.
        title: Name of the data set, for notes.
        wishes: What the user has said.

    Raises:
        UserError: The layout is unknown or ambiguous, or no image can be used.
    """
    allow_pixels(wishes.max_pixels)
    recognized = recognize(folder)
    crowd = choose_crowd(recognized, wishes.crowd)
    recognized = replace(recognized, crowd=crowd.value if crowd.reason else "", crowd_reason=crowd.reason)
    section: dict[str, Any] = {
        "format": recognized.format,
        "source": {"kind": "folder", "path": str(folder)},
        "size": (64, 64),
        "splits": dict(recognized.splits),
    }
    section |= {"crowd": crowd.value} if recognized.format == "coco" else recognized.class_keys(wishes.class_name)
    given: dict[str, Any] = {"page": wishes.page, "channels": wishes.channels, "max_pixels": wishes.max_pixels}
    given = {key: value for key, value in given.items() if value is not None}
    adapter: TypeAdapter[AnyDataset] = TypeAdapter(Dataset)
    reading = find_reading(adapter.validate_python(section | given), folder, given)
    findings = inspect(adapter.validate_python(section | reading.keys), folder, title)
    chosen = suggest(findings)
    crowd_notes = [crowd.note] if crowd.note else []
    notes = (*recognized.left_out, *crowd_notes, *reading.notes, *findings.oddities, *chosen.notes)
    return Examined(recognized, reading, findings, chosen, notes)
