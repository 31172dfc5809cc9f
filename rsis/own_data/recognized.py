"""The layout of a user's folder as `rsis.own_data.recognize` finds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recognized:
    """The layout of a folder.

    Attributes:
        form: Description of the layout, in one line.
        format: Format of the data set in params.yaml, such as "coco", "maps" or "yolo".
        splits: The sections of the splits by name; paths are relative to the folder.
        left_out: One line for each file or folder that looks like further data but is not used, and for what else the
            user should know.
        annotations: Of the format coco: the number of annotations in all files that are used.
        crowds: How many of them have iscrowd.
        crowd: Value of the data set's key `crowd`; "" to leave it out.
        crowd_reason: Why it is so.
        keys: Further keys of the data set that the files decide: `classes`, `class_key`.
    """

    form: str
    format: str
    splits: Mapping[str, Mapping[str, Any]]
    left_out: tuple[str, ...] = ()
    annotations: int = 0
    crowds: int = 0
    crowd: str = ""
    crowd_reason: str = ""
    keys: Mapping[str, Any] = field(default_factory=dict)

    def class_keys(self, class_name: str) -> dict[str, Any]:
        """Return the keys of the data set that name its classes.

        Args:
            class_name: Class of the objects, for annotations without classes.
        """
        if self.format == "coco":
            return {}
        if "classes" in self.keys:
            return dict(self.keys)
        return {"class_name": class_name} if self.format in ("maps", "masks") else {"classes": (class_name,)}
