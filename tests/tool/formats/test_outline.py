"""Outlines of masks: drawn by pycocotools they are the mask again, exactly or, with few points, nearly."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy.ndimage import binary_dilation, gaussian_filter, label
from support.reference_data import NUCLEI, REPOSITORY

from rsis.tool.formats.outline import Part, area_of, joined, outline_of
from rsis.tool.formats.simplify import cross


def drawn(rings: Iterable[np.ndarray], size: tuple[int, ...]) -> np.ndarray:
    """The union of polygons, as pycocotools draws it."""
    encoded = coco_mask.frPyObjects([ring.ravel().tolist() for ring in rings], *size)
    return np.asarray(coco_mask.decode(coco_mask.merge(encoded)), bool)


def filled(parts: Iterable[Part], size: tuple[int, ...]) -> np.ndarray:
    """The parts with their holes taken away."""
    whole = np.zeros(size, bool)
    for part in parts:
        holes = drawn(part.holes, size) if part.holes else False
        whole |= drawn([part.outline], size) & ~np.asarray(holes)
    return whole


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def shapes(random: np.random.Generator) -> Iterator[np.ndarray]:
    """Noise of all densities, and round things with holes, in pictures of all small sizes."""
    for _ in range(30):
        size = random.integers(1, 30, 2)
        yield random.random(size) < random.random()
        yield gaussian_filter(random.random(size), 1.5) > 0.5


def discs() -> Iterator[np.ndarray]:
    """Ellipses 20 to 60 pixels across, at all places between pixels; every third with a hole of 6 pixels or more."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:80, :80] + 0.5
    for number in range(60):
        (cy, cx), (ry, rx) = 40 + random.random(2), random.uniform(10, 30, 2)
        mask = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
        yield mask & (np.hypot(y - cy, x - cx) > (3 if number % 3 == 0 else 0))


def nuclei() -> list[np.ndarray]:
    found = COCO(NUCLEI / "val/instances.json")
    return [found.annToMask(item).astype(bool) for item in found.anns.values()]


def test_a_square_with_a_hole() -> None:
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    (part,) = outline_of(mask)
    assert {tuple(point) for point in part.outline} == {(0, 0), (3, 0), (3, 3), (0, 3)}
    (hole,) = part.holes
    assert {tuple(point) for point in hole} == {(1, 1), (2, 1), (2, 2), (1, 2)}
    assert len(part.outline) == len(hole) == 4
    assert (area_of(part.outline), area_of(hole)) == (9, 1)
    # one polygon: both rings closed, and the seam there and back
    assert len(joined(part.rings)) == 4 + 4 + 2
    assert outline_of(np.zeros((4, 5), bool)) == ()


def test_corners_alone_do_not_connect() -> None:
    mask = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], bool)
    assert [part.outline.mean(axis=0).tolist() for part in outline_of(mask)] == [
        [0.5, 0.5], [2.5, 0.5], [1.5, 1.5], [0.5, 2.5], [2.5, 2.5],
    ]  # fmt: skip
    ring = ~mask & np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1]], bool)  # four pixels round one: four parts
    assert len(outline_of(ring)) == 4


def test_exact_outlines_give_the_mask_again_pixel_for_pixel() -> None:
    for mask in shapes(np.random.default_rng(0)):
        parts = outline_of(mask)
        assert len(parts) == label(mask)[1]
        assert np.array_equal(filled(parts, mask.shape), mask)
        for part in parts:
            for ring in part.rings:
                assert np.array_equal(ring, np.round(ring))
                assert len(np.unique(ring, axis=0)) == len(ring)  # no point twice
                assert (np.diff(ring, axis=0, append=ring[:1]).astype(bool).sum(axis=1) == 1).all()  # no needless point
            assert not cross(part.rings)
        if parts:
            seams = [joined(part.rings) for part in parts]
            assert np.array_equal(drawn(seams, mask.shape), mask)
            one = joined([ring for part in parts for ring in part.rings])
            assert np.array_equal(drawn([one], mask.shape), mask)


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 3.0])
def test_simple_outlines_neither_cross_nor_lose_a_part_nor_leave_the_picture(tolerance: float) -> None:
    for mask in shapes(np.random.default_rng(1)):
        parts = outline_of(mask, tolerance)
        exact = outline_of(mask)
        assert len(parts) == len(exact)
        for part, same in zip(parts, exact, strict=True):
            assert not cross(part.rings)
            assert len(part.rings) == len(same.rings)
            for ring, old in zip(part.rings, same.rings, strict=True):
                assert 0.5 <= area_of(ring) / area_of(old) <= 1.5
                assert (ring >= 0).all()
                assert (ring <= mask.shape[::-1]).all()
        near = binary_dilation(mask, np.ones((3, 3)), iterations=int(2 * tolerance))
        assert not (filled(parts, mask.shape) & ~near).any()


def test_crossing_sides_are_seen() -> None:
    bow = np.array([[0, 0], [4, 4], [4, 0], [0, 4]], float)
    square = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], float)
    assert cross([bow])
    assert not cross([square])
    assert not cross([square, square + np.array([4, 0])])  # they touch
    assert cross([square, square + 2])


def test_outlines_of_the_default_tolerance_are_near_and_have_few_points() -> None:
    """The figures of docs/predict.md."""
    page = (REPOSITORY / "docs/predict.md").read_text()
    masks = [mask for mask in nuclei() if min(np.ptp(np.nonzero(mask), axis=1)) + 1 >= 20]
    for what, some in ((f"{len(masks)} nuclei", masks), ("60 ellipses", list(discs()))):
        found = [outline_of(mask, 0.5) for mask in some]
        agreed = [iou(filled(parts, mask.shape), mask) for parts, mask in zip(found, some, strict=True)]
        points, exact = (
            np.mean([sum(len(ring) for part in parts for ring in part.rings) for parts in several])
            for several in (found, map(outline_of, some))
        )
        assert min(agreed) >= 0.98
        assert f"| {what} | {np.mean(agreed):.4f} | {min(agreed):.4f} | {points:.0f} | {exact:.0f} |" in page
