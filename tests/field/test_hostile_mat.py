"""A damaged MATLAB file is named, never ends the process, and costs no other image."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.sbdataset import read_sbdataset
from rsis.errors import UserError
from rsis.eval.truths.voc import _read_mat

NUMBERS = np.pad(np.ones((2, 3), np.uint8), ((1, 3), (1, 4)))
Read = Callable[[Path], tuple[np.ndarray, object]]
BOTH: dict[str, Read] = {
    "training": lambda path: read_sbdataset(path, 20),
    "scoring": lambda path: _read_mat(path, None),
}


def content(*, do_compression: bool) -> bytearray:
    stream = io.BytesIO()
    struct = {"Segmentation": NUMBERS, "Categories": np.array([[3]], np.uint8)}
    savemat(stream, {"GTinst": struct}, do_compression=do_compression)
    return bytearray(stream.getvalue())


def read(path: Path, of: Read) -> str:
    """Return "read", or the message about the file."""
    try:
        of(path)
    except UserError as error:
        return str(error)
    return "read"


@pytest.mark.parametrize("who", BOTH)
@pytest.mark.parametrize("place", [249, 280, 281], ids=["type", "length", "length's next byte"])
def test_what_crashes_the_parser_names_the_file(tmp_path: Path, who: str, place: int) -> None:
    """With these bits the parser of scipy 1 ends the process by a segmentation fault."""
    good, bad = tmp_path / "good.mat", tmp_path / "bad.mat"
    right = content(do_compression=False)
    good.write_bytes(right)
    right[place] ^= 8
    bad.write_bytes(right)
    assert read(bad, BOTH[who]).startswith(f"{bad}: not a ")
    numbers, _ = BOTH[who](good)
    np.testing.assert_array_equal(numbers, NUMBERS)


@pytest.mark.parametrize("who", BOTH)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_flipped_bit_is_read_or_refused(tmp_path: Path, who: str, compressed: bool) -> None:
    right, path = content(do_compression=compressed), tmp_path / "a.mat"
    seen = set()
    for place in range(128, len(right), 7):
        damaged = bytearray(right)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        message = read(path, BOTH[who])
        assert message == "read" or message.startswith(f"{path}: ")
        seen.add(message == "read")
    assert False in seen


def test_an_image_is_skipped_as_any_other_bad_one(tmp_path: Path) -> None:
    path = tmp_path / "bad.mat"
    damaged = content(do_compression=False)
    damaged[280] ^= 8
    path.write_bytes(damaged)
    with pytest.raises(BadSampleError, match=r"bad\.mat"):  # which --skip-bad counts
        read_sbdataset(path, 20)
