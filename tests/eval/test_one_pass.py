"""One pass over the images: the same scores by any number of processes and in any order, each annotation read once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support.cityscapes_folder import random_box, random_ids, truth_path, write_ids

from rsis.config.datasets import CityscapesDataset
from rsis.config.runs import ScoreSection
from rsis.errors import UserError
from rsis.eval.run import score_run
from rsis.eval.scores import Scores
from rsis.eval.truths import cityscapes as truth_module
from rsis.eval.truths.cityscapes import LABEL_IDS
from rsis.eval.truths.images import read_image
from rsis.masks import encode_rle
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions

SIZE = (24, 40)
NAMES = tuple(f"ulm_{n:06}_000019" for n in range(7))
DATASET = CityscapesDataset.model_validate(
    {
        "format": "cityscapes",
        "source": {"kind": "folder", "path": "unused"},
        "size": (8, 8),
        "splits": {"val": {"folder": "val"}},
    }
)
ALL_SCORERS = ScoreSection(scorers=("cityscapes", "coco", "voc", "cvppp"))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PredictionFile]:
    """Annotated images, and moved and random masks in them. Many scores are equal, so that their order could matter."""
    root, rng, images = tmp_path_factory.mktemp("cities"), np.random.default_rng(5), []
    for name in NAMES:
        ids = random_ids(rng, SIZE, shapes=20)
        write_ids(root, "val", name, ids)
        masks = [np.roll(ids == number, int(rng.integers(0, 3)), axis=1) for number in np.unique(ids[ids >= 24000])]
        for _ in range(3):
            masks.append(np.zeros(SIZE, bool))
            masks[-1][random_box(rng, SIZE)] = True
        instances = tuple(
            InstancePrediction(encode_rle(mask), tuple(rng.integers(0, 5, 8) / 4), float(rng.integers(1, 5)) / 4, step)
            for step, mask in enumerate(masks)
        )
        images.append(ImagePrediction(name, SIZE, instances, tuple(np.linspace(1, 0, len(masks)).tolist())))
    return root, PredictionFile("cityscapes", "run", "val", "0" * 64, tuple(LABEL_IDS), {}, tuple(images))


def score(root: Path, file: PredictionFile, rules: ScoreSection = ALL_SCORERS, workers: int | None = 1) -> Scores:
    write_predictions(root / "run.json", file)
    return score_run(root / "run.json", DATASET, root, rules, workers=workers)


def assert_equal(found: Scores, expected: Scores) -> None:
    assert found.metrics == expected.metrics
    assert found.protocol == expected.protocol
    for table in ("per_image", "per_class", "objects", "masks", "steps", "curves"):
        pd.testing.assert_frame_equal(getattr(found, table), getattr(expected, table), check_exact=True)


def test_processes_and_order_of_the_images_change_no_bit(case: tuple[Path, PredictionFile]) -> None:
    root, file = case
    expected = score(root, file)
    assert expected.per_image["image_id"].tolist() == list(NAMES)
    for name in ("cityscapes/AP", "coco/AP", "voc/APr50", "cvppp/sbd", "voc/AR10_iou50", "coco/AR100"):
        assert 0 < expected.metrics[name] < 1, name
    assert_equal(score(root, file, workers=2), expected)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(NAMES))
        shuffled = replace(file, images=tuple(file.images[n] for n in order))
        assert_equal(score(root, shuffled, workers=1 + seed % 2), expected)


@pytest.mark.parametrize("remove_ignored", [True, False])
def test_several_scorers_give_what_each_gives_alone(case: tuple[Path, PredictionFile], remove_ignored: bool) -> None:
    root, file = case
    together = score(root, file, replace_rules(remove_ignored=remove_ignored))
    alone: dict[str, Any] = {}
    for name in ALL_SCORERS.scorers:
        alone |= score(root, file, replace_rules(scorers=(name,), remove_ignored=remove_ignored)).metrics
    assert together.metrics == alone


def replace_rules(**changes: Any) -> ScoreSection:
    return ALL_SCORERS.model_copy(update=changes)


def test_each_annotation_is_read_once(case: tuple[Path, PredictionFile], monkeypatch: pytest.MonkeyPatch) -> None:
    root, file = case
    read: list[str] = []

    def counted(path: Path, remedy: str) -> Any:
        read.append(path.name.removesuffix("_gtFine_instanceIds.png"))
        return read_image(path, remedy)

    monkeypatch.setattr(truth_module, "read_image", counted)
    score(root, file)
    assert read == list(NAMES)


def test_a_broken_annotation_is_the_same_line_from_any_process(case: tuple[Path, PredictionFile]) -> None:
    root, file = case
    path = truth_path(root, "val", NAMES[4])
    whole, lines = path.read_bytes(), []
    try:
        Image.new("L", SIZE[::-1]).save(path)
        for workers in (1, 2):
            with pytest.raises(UserError) as caught:
                score(root, file, workers=workers)
            lines.append(str(caught.value))
    finally:
        path.write_bytes(whole)
    assert lines[0] == lines[1]
    assert lines[0].startswith(f"{path}: has pixels of mode L; expected 16-bit grey")
    assert "\n" not in lines[0]
