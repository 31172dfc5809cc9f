"""Label Studio's bitmasks: a PNG of the picture's size in the text of an address, data:image/png;base64,iVBORw0KGgo...

The object is what is not transparent. Where nothing can be transparent, it is what is not black.
"""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from rsis.eval.truths.exports.shapes import Shape, Size
from rsis.masks import encode_rle

_ALPHA = 3  # channel of RGBA


@dataclass(frozen=True)
class Bitmask(Shape):
    """A mask of the whole picture as the bytes of an image file."""

    content: bytes

    def draw(self, size: Size) -> dict[str, Any]:
        """Return the object's pixels; raise ValueError for a file that is damaged or of another size."""
        try:
            with Image.open(io.BytesIO(self.content)) as image:
                if (image.height, image.width) != size:
                    raise ValueError("is the mask of a picture of another size")
                channels = np.asarray(image.convert("RGBA"))
                transparent = image.has_transparency_data
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError("is a mask that cannot be read") from error
        object_of = channels[..., _ALPHA:] if transparent else channels[..., :_ALPHA]
        rle = encode_rle(object_of.max(axis=2) > 0)
        return {"size": rle["size"], "counts": rle["counts"].encode("ascii")}


def bytes_of_address(text: Any) -> bytes:
    """Return the bytes in an address of data; raise ValueError if it is none in base64."""
    if not isinstance(text, str) or not text:
        raise ValueError("is no text")
    written = text.partition(",")[2] if text.startswith("data:") else text
    return base64.b64decode("".join(written.split()), validate=True)
