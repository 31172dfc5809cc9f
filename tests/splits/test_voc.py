"""Tests of the images of a split of VOC and sbdataset: union, exclusion and share."""

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import support.voc_folder as tree
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis.errors import UserError
from rsis.splits.voc import split_images

IDS = st.sets(st.integers(0, 60).map("2007_{:06}".format), max_size=40)
SETS = {"image_sets": ("train",), "sbdataset": ("train",), "exclude": ("val",)}
FIRST_FIFTH = {0: (2, 4, 6, 19), 1: (1, 10, 16, 18)}


def _ids(root: Path, **values: Any) -> tuple[str, ...]:
    return split_images(root, tree.configuration(), tree.voc_split(**values)).ids


def _write(root: Path, voc: Iterable[str], sbdataset: Iterable[str], held: Iterable[str]) -> None:
    tree.write_set(root, "train", voc)
    tree.write_set(root, "val", held)
    tree.write_list(root / tree.SBDATASET / "train.txt", sbdataset)


def _shares(root: Path, shares: dict[tuple[float, float], int], seed: int) -> list[tuple[str, ...]]:
    """Return the images of each share, after a check of their number; an empty share must be refused."""
    found = []
    for share, count in shares.items():
        if count:
            found.append(_ids(root, **SETS, share=share, seed=seed))
            assert len(found[-1]) == count
            continue
        with pytest.raises(UserError, match="takes none"):
            _ids(root, **SETS, share=share, seed=seed)
    return found


@settings(deadline=None, derandomize=True, max_examples=30)
@given(voc=IDS, other=IDS, held=IDS, cuts=st.sets(st.floats(0.01, 0.99), max_size=3), seed=st.integers(0, 9))
def test_shares_divide_the_images_whatever_the_order_of_the_lists(
    tmp_path_factory: pytest.TempPathFactory,
    voc: set[str],
    other: set[str],
    held: set[str],
    cuts: set[float],
    seed: int,
) -> None:
    root = tmp_path_factory.mktemp("shares")
    voc, other, held = voc | {"only-voc"}, other | {"only_sbdataset"}, held | {"held"}
    images = sorted((voc | other) - held)
    ends = {cut: int(cut * len(images)) for cut in [0.0, *sorted(cuts), 1.0]}
    shares = {(a, b): ends[b] - ends[a] for a, b in itertools.pairwise(ends)}
    _write(root, sorted(voc), sorted(other), sorted(held))
    found = _shares(root, shares, seed)
    assert sorted(itertools.chain(*found)) == images
    assert all(list(ids) == sorted(ids) for ids in found)
    _write(root, sorted(voc, reverse=True), sorted(other, reverse=True), sorted(held, reverse=True))
    assert _shares(root, shares, seed) == found


@pytest.mark.parametrize("seed", FIRST_FIFTH)
def test_shuffle_is_the_same_for_ever(tmp_path: Path, seed: int) -> None:
    """If a numpy release changed the shuffle, images that a model was trained on could get into its validation set."""
    tree.write_set(tmp_path, "train", [f"2007_{i:06}" for i in range(20)])
    found = _ids(tmp_path, image_sets=("train",), share=(0.0, 0.2), seed=seed)
    assert tuple(int(image_id[-2:]) for image_id in found) == FIRST_FIFTH[seed]


def test_images_of_voc_are_told_apart(tmp_path: Path) -> None:
    _write(tmp_path, ["a", "b", "c"], ["b", "d", "e"], ["c", "e", "x"])
    images = split_images(tmp_path, tree.configuration(), tree.voc_split(**SETS))
    assert images.ids == ("a", "b", "d")
    assert images.in_voc == {"a", "b"}


def test_sets_are_united(tmp_path: Path) -> None:
    _write(tmp_path, ["a", "b"], ["d"], ["b", "c"])
    tree.write_list(tmp_path / tree.SBDATASET / "val.txt", ["a", "e"])
    assert _ids(tmp_path, image_sets=("train", "val"), sbdataset=("train", "val")) == ("a", "b", "c", "d", "e")


def test_blank_lines_repeats_and_foreign_line_ends_are_read(tmp_path: Path) -> None:
    _write(tmp_path, ["a"], ["d"], ["c"])
    (tmp_path / tree.VOC / "ImageSets/Segmentation/train.txt").write_bytes(b"a \r\n\r\n2007_000032\r\na")
    assert _ids(tmp_path, image_sets=("train",)) == ("2007_000032", "a")


def _put(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda root: (root / name).write_bytes(content)


SET, LIST = "VOC2012/ImageSets/Segmentation/train.txt", "sbd/train.txt"


@pytest.mark.parametrize(
    ("damage", "values", "found"),
    [
        (lambda root: (root / "sbd").rename(root / "other"), {}, r"sbd: no such folder.*correct sbdataset"),
        (lambda root: (root / "VOC2012").rename(root / "other"), {}, r"VOC2012: no such folder.*correct voc"),
        (lambda root: (root / SET).unlink(), {}, r"Segmentation/train\.txt: no such image list"),
        (lambda root: (root / LIST).unlink(), {}, r"sbd/train\.txt: no such image list"),
        (lambda root: None, {"exclude": ("test",)}, r"test\.txt: no such image list"),
        (lambda root: ((root / LIST).unlink(), (root / LIST).mkdir()), {}, r"train\.txt: cannot read"),
        (_put(SET, b"\n \n"), {}, r"Segmentation/train\.txt: no image id in it"),
        (_put(LIST, b""), {}, r"sbd/train\.txt: no image id in it"),
        (_put(SET, b"a\nb c\n"), {}, "line 2 is 'b c', expected one image id"),
        (_put(SET, b"a b.jpg\n"), {}, r"line 1 is 'a b\.jpg'"),
        (_put(LIST, b"../a\n"), {}, r"line 1 is '\.\./a'"),
        (_put(SET, b"\xff\xfe\0"), {}, r"train\.txt: not text"),
        (lambda root: None, {"share": (0.0, 0.3)}, r"share \[0\.0, 0\.3\] of 3 images takes none"),
        (lambda root: None, {"exclude": ("train", "val"), "sbdataset": ()}, "no image is left outside of train, val"),
    ],
)
def test_faults_are_named(tmp_path: Path, damage: Callable[[Path], object], values: dict[str, Any], found: str) -> None:
    _write(tmp_path, ["a", "b"], ["b", "d"], ["c"])
    damage(tmp_path)
    with pytest.raises(UserError, match=found) as caught:
        _ids(tmp_path, **{**SETS, **values})
    assert "\n" not in str(caught.value)


def test_lists_of_sbdataset_need_its_folder(tmp_path: Path) -> None:
    _write(tmp_path, ["a"], ["b"], ["c"])
    dataset = tree.configuration(sbdataset=None)
    assert split_images(tmp_path, dataset, tree.voc_split(image_sets=("train",))).ids == ("a",)
    with pytest.raises(UserError, match="takes train of sbdataset, but the data set's sbdataset is null"):
        split_images(tmp_path, dataset, tree.voc_split(**SETS))
