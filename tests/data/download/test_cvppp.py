"""Tests of the download of CVPPP: a complete folder, errors for an incomplete one, and the challenge's HDF5 files."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from support.plant_folder import PLANT_SPLITS, PLANTS, plant_section, snapshot

from rsis.config.datasets import CvpppDataset
from rsis.data.download.run import download
from rsis.data.readers.open import open_split
from rsis.errors import UserError


def _whole(own: Path, plants: int = 3) -> CvpppDataset:
    section = {
        "format": "cvppp",
        "source": {"kind": "folder", "path": str(own)},
        "size": (24, 24),
        "splits": PLANT_SPLITS,
        "plants": {"training/A1": plants},
    }
    return CvpppDataset.model_validate(section)


def test_whole_plant_folder_passes_and_parts_are_named(own: Path, tmp_path: Path) -> None:
    training = own / "training" / "A1"
    download("a1", _whole(own), tmp_path / "raw")
    with pytest.raises(UserError, match=r"training/A1: has 3 plants, expected 128"):
        download("a1", _whole(own, 128), tmp_path / "raw")
    counts = (training / "A1.csv").read_text()
    (training / "A1.csv").write_text("file, leaves\n" + counts.replace("_rgb.png", ""))
    download("a1", _whole(own), tmp_path / "raw")  # a heading, and names without suffix, are accepted
    (training / "A1.csv").write_text(counts.replace("plant003", "plant009"))
    with pytest.raises(UserError, match=r"plant003_label\.png: has \d leaves, A1\.csv says nothing of it"):
        download("a1", _whole(own), tmp_path / "raw")
    (training / "A1.csv").write_text(counts + "plant004_rgb.png,many\n")
    with pytest.raises(UserError, match=r"A1\.csv: line 4, expected a file name and a number"):
        download("a1", _whole(own), tmp_path / "raw")
    (training / "A1.csv").unlink()
    label = np.asarray(Image.open(training / "plant002_label.png"))
    Image.fromarray(label + (label > 1).astype(np.uint8)).save(training / "plant002_label.png")
    with pytest.raises(UserError, match=r"plant002_label\.png: labels are not consecutive, 2 is missing before 3"):
        download("a1", _whole(own), tmp_path / "raw")
    Image.fromarray(label[1:]).save(training / "plant002_label.png")
    with pytest.raises(UserError, match=r"23 x 24 pixels, its picture has 24 x 24"):
        download("a1", _whole(own), tmp_path / "raw")


def test_hdf5_files_of_the_challenge_become_a_folder(own: Path, tmp_path: Path) -> None:
    hdf5 = tmp_path / "lsc"
    hdf5.mkdir()
    for part, kinds in (("training_images", ["rgb"]), ("training_truth", ["label"]), ("testing_images", ["rgb"])):
        with h5py.File(hdf5 / f"CVPPP2017_{part}.h5", "w") as file:
            folder = own / part.split("_")[0] / "A1"
            for kind in kinds:
                for path in folder.glob(f"*_{kind}.png"):
                    file[f"A1/{path.name.split('_')[0]}/{kind}"] = np.asarray(Image.open(path))
    splits = {"train": {"folder": "training/A1"}, "test": {"folder": "testing/A1", "labels": False}}
    dataset = plant_section({"kind": "folder", "path": str(hdf5)}, splits)
    folder = tmp_path / "raw" / "lsc"
    manifest = download("lsc", dataset, folder)
    assert manifest.root == folder
    for image_id in ("plant001", "plant003"):
        ours = open_split(dataset, folder, "train").read(image_id)
        theirs = open_split(plant_section(PLANTS, splits), own, "train").read(image_id)
        np.testing.assert_array_equal(ours.image, theirs.image)
        np.testing.assert_array_equal(ours.instance_map, theirs.instance_map)
    assert open_split(dataset, folder, "test").read("plant004").instance_map.max() == 0
    before = snapshot(folder)
    assert download("lsc", dataset, folder) == manifest
    assert snapshot(folder) == before
    with h5py.File(hdf5 / "CVPPP2017_training_images.h5", "r+") as file:
        file["A1/plant001/rgb"][0, 0] = 7
    assert download("lsc", dataset, folder).digest != manifest.digest
