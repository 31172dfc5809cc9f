"""What annotations with iscrowd are in a user's COCO JSON: groups that are ignored, or objects."""

from dataclasses import dataclass
from typing import Literal

from rsis.own_data.recognized import Recognized

_MOST = 0.1  # share of the annotations that may be groups; in COCO itself it is 0.012
_TOOLS = "CVAT exports brush masks so, supervision objects of several parts"


@dataclass(frozen=True)
class Crowd:
    """The value of the data set's key `crowd`.

    Attributes:
        value: "ignore" or "object".
        reason: Why, for the comment in params.yaml; "" if the key need not be written.
        note: A line for the user; "" without annotations that have iscrowd.
    """

    value: Literal["ignore", "object"]
    reason: str
    note: str


def choose_crowd(recognized: Recognized, wanted: Literal["ignore", "object"] | None) -> Crowd:
    """Return what annotations with iscrowd are: what the user wants, or what their number makes likely.

    COCO uses iscrowd for the few groups whose members nobody could outline. Where more than a tenth of the annotations
    have it, an annotation tool wrote it for masks that it could not write as one polygon, and those are objects.
    """
    number, whole = recognized.crowds, recognized.annotations
    if not number:
        return Crowd(wanted or "ignore", "", "")
    found = f"{number} of {whole} annotations are iscrowd"
    if wanted is not None:
        return Crowd(wanted, found, f"{found}: taken as {'objects' if wanted == 'object' else 'regions to ignore'}")
    if number > _MOST * whole:
        return Crowd(
            "object",
            f"{found}, too many for groups",
            f"{found}, too many for groups of objects: taken as objects like the others ({_TOOLS}); "
            "--crowd ignore ignores their pixels instead",
        )
    return Crowd(
        "ignore",
        found,
        f"{found}: taken as groups, whose pixels are ignored; if each is one object ({_TOOLS}), use --crowd object",
    )
