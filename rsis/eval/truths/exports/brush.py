"""Label Studio's own run-length code of a picture's bytes R, G, B, A; a pixel whose A is above 0 is the object's.

A code begins with 32 bits, the number of bytes, 4 H W; 5 bits, the number of bits of a byte, less 1; and four times
4 bits, the number of bits of a run's length, less 1. Runs follow until there are as many bytes: 1 bit, whether one byte
is repeated; 2 bits, which of the four lengths follows; the number of bytes, less 1; the byte, or each of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsis.eval.truths.exports.shapes import Shape, Size
from rsis.masks import encode_rle

_LONGEST = 32  # bits of one number


@dataclass
class _Bits:
    """The bits of some bytes from a place on, the highest of each byte first."""

    content: bytes
    place: int = 0

    def take(self, count: int) -> int:
        """Return the next `count` bits as a number; raise ValueError if there are fewer."""
        last = self.place + count
        if last > 8 * len(self.content):
            raise ValueError("ends too early")
        window = int.from_bytes(self.content[self.place // 8 : -(-last // 8)], "big")
        self.place = last
        return (window >> -last % 8) & ((1 << count) - 1)


@dataclass(frozen=True)
class Brush(Shape):
    """A mask of the whole picture in Label Studio's code, and the (H, W) of that picture."""

    code: bytes
    whole: Size

    def draw(self, size: Size) -> dict[str, Any]:
        """Return the pixels with alpha; raise ValueError for a broken code or one of another size."""
        height, width = size
        bits = _Bits(self.code)
        whole = bits.take(_LONGEST)
        if self.whole != size or whole != 4 * height * width:
            raise ValueError("is the mask of a picture of another size")
        is_set = np.zeros(whole, bool)
        first = 0
        for values in _runs(bits, whole):
            is_set[first : first + len(values)] = values
            first += len(values)
        rle = encode_rle(is_set[3::4].reshape(height, width))
        return {"size": rle["size"], "counts": rle["counts"].encode("ascii")}


def _runs(bits: _Bits, whole: int) -> Iterator[np.ndarray]:
    """Yield bool [n], whether bytes are above 0, until there are `whole` of them."""
    word = bits.take(5) + 1
    lengths = [bits.take(4) + 1 for _ in range(4)]
    while whole > 0:
        repeats = bits.take(1)
        count = min(bits.take(lengths[bits.take(2)]) + 1, whole)
        whole -= count
        if repeats:
            yield np.full(count, bits.take(word) > 0)
        else:
            packed = bits.take(count * word).to_bytes(-(-count * word // 8), "big")
            flat = np.unpackbits(np.frombuffer(packed, np.uint8))[-count * word :]
            yield np.asarray(flat.reshape(count, word).max(axis=1) > 0)
