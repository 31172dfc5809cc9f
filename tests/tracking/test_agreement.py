"""Training and scoring read the same objects, and what each of them alone would notice is reported at once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.fake_reader import FakeReader

from rsis.data.readers.base import BadSampleError
from rsis.errors import UserError
from rsis.eval.truths.base import GroundTruth, TrueObject
from rsis.masks import encode_rle
from rsis.structures import RawSample
from rsis.tracking.agreement import ComparedReader


class _Twin(GroundTruth):
    """The truth of a `FakeReader`, but for the changes of the test."""

    def __init__(self, reader: FakeReader, class_names: tuple[str, ...] = ("leaf", "stem")) -> None:
        super().__init__(reader.image_ids, class_names)
        self._reader = reader
        self.change: Callable[[RawSample], RawSample] = lambda sample: sample
        self.fault = ""

    def image_path(self, image_id: str) -> Path:
        return Path("pictures") / f"{image_id}.png"

    def _sample(self, image_id: str) -> RawSample:
        if self.fault:
            raise UserError(self.fault)
        return self.change(self._reader.read(image_id))

    def instance_map(self, image_id: str) -> np.ndarray:
        return self._sample(image_id).instance_map * np.int32(7)  # other numbers are no difference

    def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
        sample = self._sample(image_id)
        names = [self._reader.class_names[class_id - 1] for class_id in sample.class_ids.tolist()]
        masks = [sample.instance_map == number for number in range(1, len(names) + 1)]
        return tuple(
            TrueObject(encode_rle(mask), self.class_names.index(name) + 1, float(mask.sum()), iscrowd=False)
            for mask, name in zip(masks, names, strict=True)
        )


def _moved(sample: RawSample) -> RawSample:
    return replace(sample, instance_map=np.roll(sample.instance_map, 1, axis=1))


def _one_less(sample: RawSample) -> RawSample:
    last = len(sample.class_ids)
    kept = np.where(sample.instance_map == last, 0, sample.instance_map)
    return replace(sample, instance_map=kept, class_ids=sample.class_ids[:-1])


def _joined(sample: RawSample) -> RawSample:
    return replace(sample, instance_map=np.where(sample.instance_map == 2, 1, sample.instance_map))


def test_equal_readings_give_the_readers_samples() -> None:
    reader = FakeReader(4)
    compared = ComparedReader(reader, _Twin(reader, ("stem", "leaf")))  # another order of the classes
    assert (compared.class_names, compared.image_ids) == (reader.class_names, reader.image_ids)
    for image_id in reader.image_ids:
        assert (compared.read(image_id).instance_map == reader.read(image_id).instance_map).all()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_moved, "training and scoring disagree on the pixels of 6 objects"),
        (_one_less, "training reads 6 objects, scoring 5"),
        (_joined, "training reads 6 objects, scoring 5"),
        (lambda sample: replace(sample, instance_map=sample.instance_map.T), "read 40 x 52 and 52 x 40 pixels"),
        (
            lambda sample: replace(sample, class_ids=3 - sample.class_ids[:1].repeat(6)),
            "training reads leaf 3, stem 3, ",
        ),
    ],
)
def test_another_reading_is_named_with_its_picture(change: Callable[[RawSample], RawSample], fault: str) -> None:
    reader = FakeReader(1)
    truth = _Twin(reader)
    truth.change = change
    with pytest.raises(BadSampleError, match=rf"pictures/image-ü0\.png: .*{fault}"):
        ComparedReader(reader, truth).read("image-ü0")


def test_a_refusal_of_scoring_is_heard_at_once() -> None:
    reader = FakeReader(1)
    truth = _Twin(reader)
    truth.fault = "train.json: annotation 7 has no category; add it"
    with pytest.raises(BadSampleError, match="annotation 7 has no category; add it"):
        ComparedReader(reader, truth).read("image-ü0")


def test_other_classes_are_refused() -> None:
    reader = FakeReader(1)
    with pytest.raises(UserError, match="training reads the classes leaf, stem, scoring leaf, root"):
        ComparedReader(reader, _Twin(reader, ("leaf", "root")))


def test_hidden_objects_are_no_difference() -> None:
    """A mask all of whose pixels belong to smaller ones is an object for the scorers, but none to train on."""

    class _Hiding(FakeReader):
        def read(self, image_id: str) -> RawSample:
            sample = super().read(image_id)
            return replace(sample, dropped=("hidden by others",)) if image_id == "image-ü0" else sample

    class _All(_Twin):
        def annotations(self, image_id: str) -> tuple[TrueObject, ...]:
            first, *others = super().annotations(image_id)
            return first, first, *others

    reader = _Hiding(2)
    compared = ComparedReader(reader, _All(reader))
    assert len(compared.read("image-ü0").class_ids) == 6
    with pytest.raises(BadSampleError, match="training reads leaf 3, stem 3, scoring leaf 4, stem 3"):
        compared.read("image-ü1")
