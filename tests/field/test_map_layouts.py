"""Pictures and instance maps as tools and people lay them out: names that differ, folders in folders, files beside."""

from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from PIL import Image
from support.in_process import exit_code as rsis
from support.own_folders import discs

from rsis.config.datasets import MapsDataset
from rsis.config.params import load_params
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.truths.open import load_ground_truth
from rsis.masks import relabel
from rsis.own_data.recognize import recognize
from rsis.splits.own import MapsSplit, map_images

NUMBERS = range(1, 7)


def _write(folder: Path, picture: str, label: str, *beside: str) -> None:
    """Write six pictures and their maps, and other files of the same size, by templates of their names."""
    for number in NUMBERS:
        image, labels = discs(number)
        names = {"n": number, "d": 1 + number % 2}
        other = [(name, image[..., 0]) for name in beside]
        for name, pixels in ((picture, image), (label, labels.astype(np.uint16)), *other):
            path = folder / name.format(**names)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    ("picture", "label", "beside", "first", "keys"),
    [
        ("w{n}_img.png", "w{n}_masks.png", (), "w1", {"image_suffix": "_img", "suffix": "_masks"}),
        ("w{n}_rgb.png", "w{n}_label.png", (), "w1", {"image_suffix": "_rgb", "suffix": "_label"}),
        (
            "images/w{n}_image.png",
            "masks/w{n}_mask.png",
            (),
            "w1",
            {"image_suffix": "_image", "suffix": "_mask"},
        ),
        ("img{n}.png", "mask{n}.png", (), "1", {"image_prefix": "img", "prefix": "mask"}),
        ("images/image_{n}.png", "labels/label_{n}.tif", (), "1", {"image_prefix": "image_", "prefix": "label_"}),
        ("train/images/{n}.png", "train/masks/{n}.png", (), "1", {}),
        ("images/day{d}/a{n}.png", "labels/day{d}/a{n}.png", (), "day1/a2", {"nested": True}),
        ("day{d}/w{n}.tif", "day{d}/w{n}_cp_masks.png", (), "day1/w2", {"nested": True, "suffix": "_cp_masks"}),
        ("day{d}/images/w{n}.png", "day{d}/masks/w{n}.png", (), "day1/images/w2", None),
        (
            "w{n}.tif",
            "w{n}_cp_masks.png",
            ("w{n}_cp_outlines.png", "w{n}_flows.tif"),
            "w1",
            {"suffix": "_cp_masks", "leave_out": ("_cp_outlines", "_flows")},
        ),
        ("cell{n}.png", "cell{n}_label.png", ("cell{n}_2.png", "cell{n}_2_label.png"), "cell1", {"suffix": "_label"}),
    ],
)
def test_a_layout_is_read_as_it_was_drawn(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    picture: str,
    label: str,
    beside: tuple[str, ...],
    first: str,
    keys: dict[str, object] | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "mine", picture, label, *beside)
    if keys is None:  # a folder for each day, each with both folders
        with pytest.raises(
            UserError, match="could be day1/images with day1/masks or day2/images with day2/masks; give"
        ):
            recognize(tmp_path / "mine")
        assert recognize(tmp_path / "mine/day1").splits["train"]["maps"] == "masks"  # the remedy
        return
    section = dict(recognize(tmp_path / "mine").splits["train"])
    assert {key: value for key, value in section.items() if key not in ("images", "maps", "share")} == keys
    assert rsis(monkeypatch, "init", "mine") == 0
    said = capsys.readouterr().err
    assert "cannot be used" not in said
    for ending in section.get("leave_out", ()):
        assert f"note: files whose names end in {ending}: left out" in said
    dataset = load_params(tmp_path / "params.yaml").dataset("mine")
    assert isinstance(dataset, MapsDataset)
    whole = dataset.model_copy(
        update={"splits": {"train": dataset.splits["train"].model_copy(update={"share": (0, 1)})}}
    )
    reader, truth = open_split(whole, tmp_path / "mine", "train"), load_ground_truth(whole, tmp_path / "mine", "train")
    assert reader.image_ids == truth.image_ids
    assert reader.image_ids[0] == first
    assert len(reader.image_ids) == len(NUMBERS) * (2 if "_2" in "".join(beside) else 1)
    number = 2 if first.startswith("day") else 1
    assert np.array_equal(reader.read(first).instance_map, relabel(discs(number)[1]))
    assert np.array_equal(relabel(truth.instance_map(first)), relabel(discs(number)[1]))


def test_names_in_two_unicode_forms_are_one_name(tmp_path: Path) -> None:
    _write(tmp_path, normalize("NFC", "images/Blüte{n}.png"), normalize("NFD", "labels/Blüte{n}.png"))
    found = map_images(tmp_path, MapsSplit(images="images", maps="labels"))
    assert list(found) == [normalize("NFC", f"Blüte{n}") for n in NUMBERS]


def test_two_files_of_one_id_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "images/{n}_img.png", "labels/{n}.png", "images/{n}.png")
    split = MapsSplit(images="images", maps="labels", image_suffix="_img")
    with pytest.raises(UserError, match=r"images: has 1\.png and 1_img\.png, expected one of a name; remove one"):
        map_images(tmp_path, split)


def test_a_nested_data_set_goes_through_the_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "mine", "images/day{d}/a{n}.png", "labels/day{d}/a{n}.png")
    for command in (("init", "mine"), ("download", "mine"), ("check", "mine"), ("prepare", "mine", "--workers", 1)):
        assert rsis(monkeypatch, *command) == 0, command
    assert "images and labels (with the folders in them)" in capsys.readouterr().out
