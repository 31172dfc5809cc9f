"""Label Studio's run-length encoding of brush strokes.

It is a stream of bits, the highest bit of each byte first, of the bytes of a picture [H, W, 4] of red, green, blue and
alpha, row by row; the alpha of a pixel of the object is above 0:

    32 bits      how many bytes are encoded: 4 H W
    5 bits       w - 1: a byte takes w bits, usually 8
    4 x 4 bits   k - 1 for each of four lengths of a count
    then, until all bytes are there:
    1 bit        1 for one byte that repeats, 0 for bytes one after the other
    2 bits       which of the four lengths the count has
    k bits       the count - 1
    w bits       the byte that repeats; or w bits for each of the bytes
"""

from collections.abc import Sequence


class _Bits:
    """A stream of bits that is read from its beginning."""

    def __init__(self, content: bytes) -> None:
        self._content, self.place = content, 0

    def read(self, length: int) -> int:
        """Return a number of so many bits; raise ValueError behind the end."""
        first, last = self.place // 8, (self.place + length + 7) // 8
        if last > len(self._content):
            raise ValueError("ends too early")
        number = int.from_bytes(self._content[first:last], "big") >> (8 * last - self.place - length)
        self.place += length
        return number & ((1 << length) - 1)


class _Runs:
    """Lengths of runs, of background and of object in turn."""

    def __init__(self) -> None:
        self.lengths = [0]

    def add(self, alpha: int, pixels: int) -> None:
        """Add pixels of one alpha behind the last."""
        if pixels and (alpha > 0) != (len(self.lengths) % 2 == 0):
            self.lengths.append(0)
        self.lengths[-1] += pixels


def brush_runs(encoded: Sequence[int], pixels: int) -> list[int]:
    """Return the runs of pixels of background and of object in turn, row by row; the first is of background.

    Args:
        encoded: Bytes of the encoding.
        pixels: H * W of the picture.

    Raises:
        TypeError: Something is no number.
        ValueError: A number is no byte, the encoding ends too early, or is of another number of pixels.
    """
    bits = _Bits(bytes(encoded))
    total = bits.read(32)
    if total != 4 * pixels:
        raise ValueError(f"is of {total // 4} pixels, and the picture has {pixels}")
    word = bits.read(5) + 1
    lengths = [bits.read(4) + 1 for _ in range(4)]
    runs, place = _Runs(), 0  # in bytes
    while place < total:
        repeats = bits.read(1)
        count = min(bits.read(lengths[bits.read(2)]) + 1, total - place)
        pixels_before, pixels_after = place // 4, (place + count) // 4  # whose alpha, their fourth byte, is behind us
        if repeats:
            runs.add(bits.read(word), pixels_after - pixels_before)
        else:
            values = [bits.read(word) for _ in range(count)]
            for pixel in range(pixels_before, pixels_after):
                runs.add(values[4 * pixel + 3 - place], 1)
        place += count
    return runs.lengths
