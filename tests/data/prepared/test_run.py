"""Tests of the stage `prepare`: it writes the files of all splits or none."""

from pathlib import Path
from typing import Any

import pytest

from rsis.config.datasets import CvpppDataset
from rsis.config.sources import PlantSource
from rsis.data.prepared.file import PreparedSplit
from rsis.data.prepared.run import prepare
from rsis.data.prepared.writer import SplitSummary
from rsis.data.readers.open import open_split
from rsis.data.synthetic.plants.dataset import write_plants
from rsis.errors import UserError
from rsis.files.digests import sha256_of
from rsis.files.manifest import read_manifest, write_manifest

_SOURCE = PlantSource(kind="plants", seed=3, image_size=(48, 48), training=5, testing=2, leaves=(2, 4))
_SPLITS = {
    "train": {"folder": "training/A1", "take": (0, 3)},
    "val": {"folder": "training/A1", "take": (3, 5)},
    "test": {"folder": "testing/A1"},
}


def _dataset(size: tuple[int, int] = (48, 48), splits: dict[str, Any] = _SPLITS) -> CvpppDataset:
    return CvpppDataset.model_validate(
        {"format": "cvppp", "source": _SOURCE.model_dump(), "size": size, "splits": splits}
    )


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw" / "plants"
    folder.mkdir(parents=True)
    write_plants(folder, _SOURCE, processes=1)
    write_manifest(folder, "plants", folder)
    return folder


@pytest.fixture
def processed(tmp_path: Path) -> Path:
    return tmp_path / "processed" / "plants"


def _prepare(
    raw: Path, processed: Path, dataset: CvpppDataset | None = None, skip_bad: bool = False
) -> dict[str, SplitSummary]:
    return prepare("plants", dataset or _dataset(), raw, processed, skip_bad=skip_bad, workers=1)


def _break(raw: Path, plant: str) -> None:
    """Truncate a picture of the raw data, and update the manifest as if it had been downloaded so."""
    picture = raw / f"{plant}_rgb.png"
    picture.write_bytes(picture.read_bytes()[:200])
    write_manifest(raw, "plants", raw)


def test_every_split_is_written(raw: Path, processed: Path) -> None:
    summaries = _prepare(raw, processed)
    assert sorted(path.name for path in processed.glob("*.h5")) == ["test.h5", "train.h5", "val.h5"]
    assert {name: summary.images for name, summary in summaries.items()} == {"train": 3, "val": 2, "test": 2}
    for name, summary in summaries.items():
        split, reader = PreparedSplit(processed / f"{name}.h5"), open_split(_dataset(), raw, name)
        assert split.class_names == ("leaf",)
        assert split.image_ids == tuple(reader.image_ids)
        assert split.source_digest == read_manifest(raw).digest
        assert split.size == (48, 48)
        raws = [reader.read(image_id) for image_id in reader.image_ids]
        assert summary == SplitSummary(len(raws), sum(len(sample.class_ids) for sample in raws))
        for i, sample in enumerate(raws):
            assert (split.read(i).instance_map.numpy() == sample.instance_map).all()
            assert (split.read(i).image.permute(1, 2, 0).numpy() == sample.image).all()


def test_preparing_again_replaces_the_folder_with_the_same_bytes(raw: Path, processed: Path) -> None:
    _prepare(raw, processed)
    first = {path.name: sha256_of(path) for path in processed.iterdir()}
    _prepare(raw, processed)
    assert {path.name: sha256_of(path) for path in processed.iterdir()} == first
    (processed / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"plants: holds thesis\.txt, which rsis did not write there"):
        _prepare(raw, processed)
    assert (processed / "thesis.txt").read_text() == "years of work"


def test_a_changed_raw_tree_is_refused(raw: Path, processed: Path) -> None:
    (raw / "training/A1/plant001_rgb.png").write_bytes(b"other")
    with pytest.raises(UserError, match=r"plant001_rgb\.png"):
        _prepare(raw, processed)
    assert not processed.exists()


def test_a_bad_image_in_the_last_split_leaves_the_old_files(raw: Path, processed: Path) -> None:
    _prepare(raw, processed)
    before = {path.name: sha256_of(path) for path in processed.iterdir()}
    _break(raw / "testing/A1", "plant007")
    write_manifest(raw, "plants", raw)
    with pytest.raises(UserError, match=r"plant007_rgb\.png"):
        _prepare(raw, processed, _dataset((32, 32)))
    assert {path.name: sha256_of(path) for path in processed.iterdir()} == before
    assert list(processed.parent.iterdir()) == [processed]


def test_bad_images_can_be_skipped(raw: Path, processed: Path) -> None:
    _break(raw / "training/A1", "plant002")
    write_manifest(raw, "plants", raw)
    assert (
        _prepare(raw, processed, skip_bad=True)["train"].left_out[0].startswith(f"{raw}/training/A1/plant002_rgb.png: ")
    )
    assert PreparedSplit(processed / "train.h5").image_ids == ("plant001", "plant003")


def test_a_missing_download_says_what_to_run(tmp_path: Path, processed: Path) -> None:
    with pytest.raises(UserError, match="rsis download"):
        _prepare(tmp_path / "raw" / "plants", processed)


def test_a_benchmarks_image_that_lacks_a_file_is_never_left_out(raw: Path, processed: Path) -> None:
    (raw / "training/A1/plant002_label.png").unlink()
    write_manifest(raw, "plants", raw)
    with pytest.raises(UserError, match=r"plant002_label\.png is missing"):
        _prepare(raw, processed, skip_bad=True)
    assert not processed.exists()
