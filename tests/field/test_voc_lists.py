"""Image lists and masks of VOC as other tools write them: read where one thing can be meant, otherwise refused."""

import codecs
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.voc_folder import CLASSES, OBJECTS, VOC, configuration, voc_split, write_set, write_tree, write_voc

from rsis.data.readers.base import BadSampleError
from rsis.data.readers.voc import VocReader
from rsis.errors import UserError
from rsis.eval.truths.voc import VocTruth
from rsis.masks import decode_rle
from rsis.splits.voc import split_images

LIST = Path(VOC) / "ImageSets/Segmentation/train.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_tree(tmp_path)
    return tmp_path


def ids_of(root: Path, content: bytes) -> tuple[str, ...]:
    (root / LIST).write_bytes(content)
    return split_images(root, configuration(), voc_split(image_sets=("train",))).ids


@pytest.mark.parametrize(
    "content",
    [
        b"img_b\r\nimg_a\r\n",
        codecs.BOM_UTF8 + b"img_b\nimg_a\n",
        "img_b\r\nimg_a\r\n".encode("utf-16"),
        b"img_b  1\nimg_a  1\n",
        b"img_b.jpg\nimg_a.JPG\n",
        b"/JPEGImages/img_b.jpg\nJPEGImages\\img_a.jpg\n",
        b"JPEGImages/img_b.jpg SegmentationClass/img_b.png\n\n  img_a.jpg\timg_a.png\n",
        b"img_a\nimg_b\nimg_a",
    ],
)
def test_one_image_a_line_however_it_is_written(root: Path, content: bytes) -> None:
    assert ids_of(root, content) == ("img_a", "img_b")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"img_b  1\nimg_a -1\n", "line 2 is 'img_a -1', from a list of a class"),
        (b"img_a 0\n", "from a list of a class"),
        (b"img_a.jpg x.png\n", "expected equal names of picture and annotation"),
        (b"img_a img_b\n", "expected one image id such as 2007_000032"),
        (b"img_a,1\n", "expected one image id such as 2007_000032"),
        (b"..\n", "expected one image id"),
        (b"day1/img_a.jpg\nday2/img_a.jpg\n", "line 2 is 'day2/img_a.jpg', of an image that an earlier line names"),
        (b"\xff\xfe\xff", "not text"),
        (b"\r\n", "no image id in it"),
    ],
)
def test_lines_that_leave_a_choice_are_refused(root: Path, content: bytes, said: str) -> None:
    with pytest.raises(UserError) as refused:
        ids_of(root, content)
    assert said in str(refused.value)


def in_colour(path: Path, indices: np.ndarray, mode: str = "RGB") -> None:
    """Write indices as the colours of VOC's palette, as its development kit defines them."""
    palette = []
    for index in range(256):
        red = green = blue = 0
        rest = index
        for place in range(7, -1, -1):
            red, green, blue = (
                red | (rest & 1) << place,
                green | (rest >> 1 & 1) << place,
                blue | (rest >> 2 & 1) << place,
            )
            rest >>= 3
        palette.append((red, green, blue))
    assert palette[:4] + palette[15:16] == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (192, 128, 128)]
    assert palette[255] == (224, 224, 192)
    Image.fromarray(np.array(palette, np.uint8)[indices]).convert(mode).save(path)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_masks_in_vocs_colours_are_those_of_the_palette(tmp_path: Path, mode: str) -> None:
    objects, classes = np.kron(OBJECTS, np.ones((4, 4), int)), np.kron(CLASSES, np.ones((4, 4), int))
    for name in ("as_is", "colour"):
        write_voc(tmp_path, name, objects, classes)
    write_set(tmp_path, "train", ["as_is", "colour"])
    for part, indices in (("SegmentationObject", objects), ("SegmentationClass", classes)):
        in_colour(tmp_path / VOC / part / "colour.png", indices, mode)
    section, split = configuration(), voc_split(image_sets=("train",))
    reader, truth = VocReader(tmp_path, section, split), VocTruth(tmp_path, section, split)
    read = [reader.read(name) for name in ("as_is", "colour")]
    for part in ("instance_map", "class_ids", "ignore_mask"):
        assert np.array_equal(getattr(read[0], part), getattr(read[1], part))
    assert read[1].class_ids.tolist() == [8, 15]
    as_is, colour = (truth.annotations(name) for name in ("as_is", "colour"))
    assert [item.class_id for item in colour] == [8, 15]
    assert all(np.array_equal(decode_rle(a.rle), decode_rle(b.rle)) for a, b in zip(as_is, colour, strict=True))
    assert np.array_equal(truth.ignore_mask("as_is"), truth.ignore_mask("colour"))


def test_other_colours_are_refused_by_both(tmp_path: Path) -> None:
    write_voc(tmp_path, "img_a")
    write_set(tmp_path, "train", ["img_a"])
    path = tmp_path / VOC / "SegmentationObject/img_a.png"
    Image.new("RGB", (6, 4), (250, 50, 183)).save(path)
    section, split = configuration(), voc_split(image_sets=("train",))
    with pytest.raises(
        BadSampleError, match=r"img_a.png: colour \(250, 50, 183\), expected the colours of VOC's palette"
    ):
        VocReader(tmp_path, section, split).read("img_a")
    with pytest.raises(UserError, match=r"img_a.png: has the colour \(250, 50, 183\); expected those of VOC's palette"):
        VocTruth(tmp_path, section, split).annotations("img_a")
