"""The table of what is used and what is not, against counts made by hand."""

from dataclasses import replace

import numpy as np
from support.fake_reader import FakeReader

from rsis.data.prepared.resize import resize_sample
from rsis.tracking.account import Account, count_annotations, lines_of, table_of


def test_every_picture_and_annotation_is_in_the_table() -> None:
    train = Account("train", 11, ("a.png: broken; restore it",), 57, {"crowd": 3, "too small at 96 x 128": 2})
    val = Account("val", 3, (), 13, {"cannot be drawn": 1})
    assert table_of([train, val]) == (
        ["", "train", "val"],
        [
            ["pictures", "12", "3"],
            ["  used", "11", "3"],
            ["  left out", "1", "0"],
            ["annotations", "62", "14"],
            ["  used", "57", "13"],
            ["  crowd", "3", "0"],
            ["  too small at 96 x 128", "2", "0"],
            ["  cannot be drawn", "0", "1"],
        ],
    )


def test_what_never_occurs_has_no_row() -> None:
    _, rows = table_of([Account("val", 3, (), 13, {})])
    assert [row[0].strip() for row in rows] == ["pictures", "used", "annotations", "used"]


def test_the_first_pictures_left_out_are_named_once() -> None:
    lost = tuple(f"{name}.png: broken" for name in "abcdefg")
    accounts = [Account("train", 1, lost, 0, {}), Account("val", 1, lost[:2], 0, {})]
    assert lines_of(accounts) == [*(f"left out: {line}" for line in lost[:5]), "left out: 2 more"]


def test_objects_too_small_are_those_that_preparation_drops() -> None:
    reader = FakeReader(40, objects=9)
    vanished = 0
    for image_id in reader.image_ids:
        sample = replace(reader.read(image_id), dropped=("crowd",))
        left, dropped = count_annotations(sample, (7, 9))
        prepared = resize_sample(sample, (7, 9))
        assert left == len(prepared.class_ids)
        assert list(dropped.elements()) == list(prepared.dropped)
        vanished += dropped["too small at 7 x 9"]
    assert vanished > 20


def test_an_image_without_background_is_counted_whole() -> None:
    sample = FakeReader(1).read("image-ü0")
    full = replace(sample, instance_map=np.ones((40, 52), np.int32), class_ids=np.ones(1, np.int64))
    assert count_annotations(full, (4, 4)) == (1, {})
