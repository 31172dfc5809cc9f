"""Pictures that lie in another file: LabelMe keeps a copy of the picture in its JSON, under the key imageData.

    {"imagePath": "a.jpg", "imageData": "iVBORw0KGgo...", "shapes": [...]}

The path of such a picture is that of its JSON file. Whoever opens a picture for its pixels or its size opens it here,
so that such a path means the picture inside.
"""

import base64
import functools
import io
import json
from pathlib import Path
from typing import BinaryIO

_SUFFIX = ".json"
_REMEDY = "expected a picture as text in base64 under imageData"


def is_embedded(path: Path) -> bool:
    """Return whether a picture of this path lies in a JSON file."""
    return path.suffix.lower() == _SUFFIX


def open_picture(path: Path) -> BinaryIO:
    """Open the bytes of a picture: of the file itself, or of the picture in a JSON file.

    Raises:
        OSError: The file cannot be read, or holds no picture in base64.
    """
    if not is_embedded(path):
        return path.open("rb")
    state = path.stat()
    return io.BytesIO(_inside(path, state.st_mtime_ns, state.st_size))


@functools.lru_cache(maxsize=1)  # a picture is opened for its kind, its axes and its pixels, one after the other
def _inside(path: Path, _written: int, _size: int) -> bytes:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise OSError(f"not JSON, {_REMEDY}") from error
    return decode_picture(content.get("imageData") if isinstance(content, dict) else None)


def decode_picture(text: object) -> bytes:
    """Return the bytes of a picture in base64, perhaps behind the "data:image/png;base64," of a web page.

    Raises:
        OSError: It is no text in base64, or empty.
    """
    if not isinstance(text, str) or not text:
        raise OSError(f"without a picture inside, {_REMEDY}")
    try:
        written = text.partition(",")[2] if text.startswith("data:") else text
        return base64.b64decode("".join(written.split()), validate=True)
    except ValueError as error:
        raise OSError(f"a picture inside that is not base64, {_REMEDY}") from error
