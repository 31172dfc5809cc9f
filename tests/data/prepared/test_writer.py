"""Tests of writing prepared files: only the size changes, and an error leaves no incomplete file."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from support.fake_reader import FakeReader, KillingReader

from rsis.data.prepared.file import PreparedSplit
from rsis.data.prepared.resize import pack_sample, resize_sample
from rsis.data.prepared.writer import SplitOrigin, SplitSummary, write_split
from rsis.data.readers.base import BadSampleError
from rsis.errors import UserError
from rsis.files.digests import sha256_of
from rsis.masks import relabel, resize_map
from rsis.structures import RawSample

_ORIGIN = SplitOrigin("leaves", "val", "0123abcd")
_SIZE = (32, 48)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leaves" / "val.h5"


def test_a_sample_of_the_right_size_keeps_every_value(path: Path) -> None:
    reader = FakeReader(3, raw_size=_SIZE)
    summary = write_split(reader, path, _SIZE, _ORIGIN)
    split = PreparedSplit(path)
    assert len(split) == 3
    assert summary == SplitSummary(3, sum(len(split[i].class_ids) for i in range(3)))
    for i, image_id in enumerate(reader.image_ids):
        raw, sample = reader.read(image_id), split.read(i)
        assert sample.image.dtype == torch.uint8
        assert sample.instance_map.dtype == torch.int32
        assert sample.ignore_mask.dtype == torch.bool
        assert sample.class_ids.dtype == torch.int64
        np.testing.assert_array_equal(sample.image.permute(1, 2, 0).numpy(), raw.image)
        np.testing.assert_array_equal(sample.instance_map.numpy(), raw.instance_map)
        np.testing.assert_array_equal(sample.ignore_mask.numpy(), raw.ignore_mask)
        np.testing.assert_array_equal(sample.class_ids.numpy(), raw.class_ids)
        assert sample.image_id == image_id
        assert sample.original_size == _SIZE


def test_samples_are_resized(path: Path) -> None:
    reader = FakeReader(2, raw_size=(80, 104))
    write_split(reader, path, _SIZE, _ORIGIN)
    sample, raw = PreparedSplit(path).read(1), reader.read(reader.image_ids[1])
    assert sample.image.shape == (3, *_SIZE)
    assert sample.original_size == (80, 104)
    expected = Image.fromarray(raw.image).resize((_SIZE[1], _SIZE[0]), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(sample.image.permute(1, 2, 0).numpy(), np.asarray(expected))
    np.testing.assert_array_equal(sample.instance_map.numpy(), relabel(resize_map(raw.instance_map, _SIZE)))
    np.testing.assert_array_equal(sample.ignore_mask.numpy(), resize_map(raw.ignore_mask, _SIZE))


def test_an_object_that_vanishes_takes_its_class_along() -> None:
    instance_map = np.zeros((20, 20), np.int32)
    instance_map[0:5], instance_map[7, 7], instance_map[12:] = 1, 2, 3
    raw = RawSample(
        np.zeros((20, 20, 3), np.uint8), instance_map, np.array([5, 6, 7]), np.zeros((20, 20), np.bool_), "a"
    )
    resized = resize_sample(raw, (4, 4))
    assert np.unique(resized.instance_map).tolist() == [0, 1, 2]
    assert resized.class_ids.tolist() == [5, 7]
    assert resized.original_size == (20, 20)


def test_images_without_objects_are_kept(path: Path) -> None:
    assert write_split(FakeReader(2, objects=0), path, _SIZE, _ORIGIN).objects == 0
    sample = PreparedSplit(path).read(1)
    assert sample.class_ids.shape == (0,)
    assert not sample.instance_map.any()


def test_many_objects_fit(path: Path) -> None:
    write_split(_Mosaic(), path, (20, 20), _ORIGIN)
    sample = PreparedSplit(path).read(0)
    assert sample.instance_map.max() == 400
    assert sample.class_ids.shape == (400,)


def test_the_same_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    reader = FakeReader(12, bad=(3, 8))
    one, two = tmp_path / "one.h5", tmp_path / "two.h5"
    summary = write_split(reader, one, _SIZE, _ORIGIN, skip_bad=True, workers=1)
    assert write_split(reader, two, _SIZE, _ORIGIN, skip_bad=True, workers=2) == summary
    assert sha256_of(one) == sha256_of(two)


def test_packed_chunks_are_those_that_hdf5_makes(tmp_path: Path) -> None:
    """HDF5 decodes the packed chunks to the original values."""
    sample = resize_sample(FakeReader(1).read("image-ü0"), _SIZE)
    packed = pack_sample(sample)
    values = {"image": sample.image, "instance_map": sample.instance_map, "ignore_mask": sample.ignore_mask}
    with h5py.File(tmp_path / "twin.h5", "w") as file:
        for name, array in values.items():
            options = {} if name == "image" else {"compression": "gzip", "compression_opts": 1, "shuffle": True}
            stored = array.astype(np.uint8) if array.dtype == bool else array
            dataset = file.create_dataset(name, stored.shape, stored.dtype, chunks=stored.shape, **options)
            dataset.id.write_direct_chunk((0,) * stored.ndim, getattr(packed, name))
            np.testing.assert_array_equal(dataset[:], stored)
    assert packed.class_ids == tuple(sample.class_ids)


def test_bad_samples_are_skipped_named_and_recorded(path: Path) -> None:
    reader = FakeReader(4, bad=(0, 2))
    summary = write_split(reader, path, _SIZE, _ORIGIN, skip_bad=True)
    split = PreparedSplit(path)
    assert [line.partition(":")[0] for line in summary.left_out] == ["image-ü0.png", "image-ü2.png"]
    assert summary.images == 2
    assert split.image_ids == ("image-ü1", "image-ü3")
    np.testing.assert_array_equal(
        split.read(1).class_ids.numpy(), resize_sample(reader.read("image-ü3"), _SIZE).class_ids
    )
    with h5py.File(path, "r", locking=False) as file:
        assert file.attrs["skipped"] == '["image-\\u00fc0", "image-\\u00fc2"]'
        assert all(len(file[name]) == 2 for name in file if name != "class_ids")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_sample_stops_the_writing_and_leaves_no_file(path: Path, workers: int) -> None:
    with pytest.raises(BadSampleError, match=r"image-ü1\.png: cut short"):
        write_split(FakeReader(3, bad=(1,)), path, _SIZE, _ORIGIN, workers=workers)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("reader", "message"), [(FakeReader(0), "has no images"), (FakeReader(2, bad=(0, 1)), "all 2 images")]
)
def test_an_empty_split_is_refused(path: Path, reader: FakeReader, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_split(reader, path, _SIZE, _ORIGIN, skip_bad=True)
    assert not path.exists()


def test_a_killed_process_is_reported(path: Path) -> None:
    with pytest.raises(UserError, match="killed"):
        write_split(KillingReader(2), path, _SIZE, _ORIGIN, workers=2)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("limit", [0, 3000, 60_000, 250_000])
def test_a_full_disk_leaves_the_old_file(path: Path, limit: int) -> None:
    """The system refuses to let a file grow beyond a limit, as with a full disk."""
    write_split(FakeReader(1), path, _SIZE, _ORIGIN)
    before = sha256_of(path)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from support.fake_reader import FakeReader\n"
        "from rsis.data.prepared.writer import SplitOrigin, write_split\n"
        "from rsis.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))\n"
        "try:\n"
        "    write_split(FakeReader(60), Path(sys.argv[1]), (32, 48), SplitOrigin('leaves', 'val', '0'))\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    tests = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{tests.parent}{os.pathsep}{tests}", "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(
        [sys.executable, "-c", program, str(path), str(limit)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert (
        result.stdout
        == f"{path}: cannot write (File too large); free the space or fix the permission, then run again\n"
    )
    assert sha256_of(path) == before
    assert list(path.parent.iterdir()) == [path]


class _Mosaic(FakeReader):
    """A reader of one image in which each pixel is an object."""

    def __init__(self) -> None:
        super().__init__(1, raw_size=(20, 20))

    def read(self, image_id: str) -> RawSample:
        instance_map = np.arange(1, 401, dtype=np.int32).reshape(20, 20)
        nothing = np.zeros((20, 20), np.bool_)
        return RawSample(np.zeros((20, 20, 3), np.uint8), instance_map, np.ones(400, np.int64), nothing, image_id)
