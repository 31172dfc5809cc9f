"""Tests of reading prepared files: in several processes, and the errors for damaged files."""

import multiprocessing
import pickle
import re
from pathlib import Path

import h5py
import pytest
import torch
from support.fake_reader import FakeReader

from rsis.data.prepared.file import PreparedSample, PreparedSplit
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.errors import UserError

_ORIGIN = SplitOrigin("leaves", "val", "0123abcd")
_SIZE = (32, 48)
_AGAIN = "run `rsis prepare leaves`"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leaves" / "val.h5"


def _same(left: PreparedSample, right: PreparedSample) -> bool:
    return all(
        torch.equal(value, vars(right)[name]) if isinstance(value, torch.Tensor) else value == vars(right)[name]
        for name, value in vars(left).items()
    )


def test_properties(path: Path) -> None:
    reader = FakeReader(2)
    write_split(reader, path, _SIZE, _ORIGIN)
    split = PreparedSplit(path)
    assert split.class_names == ("leaf", "stem")
    assert split.image_ids == reader.image_ids
    assert split.original_sizes == ((40, 52), (40, 52))
    assert split.size == _SIZE
    assert split.source_digest == "0123abcd"


def test_digest_tells_contents_apart(path: Path, tmp_path: Path) -> None:
    def digest(reader: FakeReader, size: tuple[int, int] = _SIZE, origin: SplitOrigin = _ORIGIN) -> str:
        write_split(reader, path, size, origin, skip_bad=True)
        return PreparedSplit(path).digest

    first = digest(FakeReader(3))
    assert digest(FakeReader(3)) == first
    others = {
        digest(FakeReader(2)),
        digest(FakeReader(3, bad=(1,))),
        digest(FakeReader(3, class_names=("leaf", "root"))),
        digest(FakeReader(3), (32, 32)),
        digest(FakeReader(3), origin=SplitOrigin("leaves", "val", "ffff")),
    }
    assert len(others | {first}) == 6


def test_a_missing_file_says_what_to_run(path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(f"{path}: no such file; {_AGAIN}")):
        PreparedSplit(path)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(path: Path, keep: float) -> None:
    write_split(FakeReader(5), path, _SIZE, _ORIGIN)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(UserError, match=re.escape(str(path))) as caught:
        PreparedSplit(path)
    assert _AGAIN in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_chunk_is_reported(path: Path) -> None:
    write_split(FakeReader(2), path, _SIZE, _ORIGIN)
    with h5py.File(path) as file:
        chunk = file["instance_maps"].id.get_chunk_info(1)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * chunk.size)
    split = PreparedSplit(path)
    split.read(0)
    with pytest.raises(UserError, match="image-ü1"):
        split.read(1)


@pytest.mark.parametrize("version", [None, 2])
def test_another_schema_version_is_refused(path: Path, version: int | None) -> None:
    write_split(FakeReader(2), path, _SIZE, _ORIGIN)
    with h5py.File(path, "r+") as file:
        del file.attrs["schema_version"]
        if version is not None:
            file.attrs["schema_version"] = version
    with pytest.raises(UserError, match=f"schema version {version}, expected 1"):
        PreparedSplit(path)


def test_an_opened_split_can_be_pickled(path: Path) -> None:
    write_split(FakeReader(2), path, _SIZE, _ORIGIN)
    split = PreparedSplit(path)
    sample = split.read(1)
    assert _same(pickle.loads(pickle.dumps(split)).read(1), sample)
    assert _same(split.read(1), sample)


def test_forked_processes_read_from_a_file_that_is_open(path: Path) -> None:
    write_split(FakeReader(20), path, _SIZE, _ORIGIN)
    split = PreparedSplit(path)
    expected = [split.read(i).instance_map.sum().item() for i in range(20)]
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    processes = [context.Process(target=_send_sums, args=(split, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [split.read(i).instance_map.sum().item() for i in range(20)] == expected
    assert [queue.get() for _ in processes] == [expected] * 3
    for process in processes:
        process.join()


def _send_sums(split: PreparedSplit, queue: "multiprocessing.queues.SimpleQueue[list[int]]") -> None:
    queue.put([int(split.read(i).instance_map.numpy().sum()) for i in range(len(split))])


def test_a_preparation_that_is_repeated_disturbs_no_reader(path: Path) -> None:
    """`rsis run` of another run writes the same bytes anew while a training waits for its validation."""
    write_split(FakeReader(3), path, _SIZE, _ORIGIN)
    waiting = PreparedSplit(path)
    expected = PreparedSplit(path).read(1)
    write_split(FakeReader(3), path, _SIZE, _ORIGIN)
    assert _same(waiting.read(1), expected)
