"""The order analysis of a small network on a few prepared images: its files, and the comparison with the paper."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from support.fake_reader import FakeReader

from rsis.checkpoint.file import save_checkpoint
from rsis.checkpoint.info import CheckpointInfo
from rsis.config.runs import ModelSection, PredictSection, RunSection, ScoreSection, TrainSection
from rsis.data.prepared.file import PreparedSplit
from rsis.data.prepared.writer import SplitOrigin, write_split
from rsis.errors import UserError
from rsis.files.atomic import MARK
from rsis.model.network import RSISNetwork
from rsis.model.normalization import normalize
from rsis.order.activations import activation_maps, observe, untrained
from rsis.order.run import analyze, beside_paper
from rsis.report.tables.published import load_published

RUN = RunSection(
    dataset="drawn",
    model=ModelSection(backbone="resnet18", hidden_widths=(8, 4), stride=16, mask_gain=5.0),
    train=TrainSection(epochs=1, batch_size=1, num_steps=4, lr=1e-3, lr_encoder=1e-3, seed=5),
    predict=PredictSection(num_steps=4, batch_size=3, objectness_threshold=0.0),
    score=ScoreSection(scorers=("coco",)),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with test.h5 of five images, and a checkpoint like that of a training."""
    folder = tmp_path_factory.mktemp("analysis")
    write_split(FakeReader(5), folder / "test.h5", (32, 48), SplitOrigin("drawn", "test", "0"))
    split = PreparedSplit(folder / "test.h5")
    network = untrained(RUN, len(split.class_names) + 1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.3)
    info = CheckpointInfo(
        "r", "drawn", split.class_names, split.size, RUN.model.model_dump(mode="json"), {}, {}, {}, ""
    )
    save_checkpoint(folder / "model.safetensors", network, info)
    return folder


def test_everything_is_written_and_agrees(project: Path, tmp_path: Path) -> None:
    heading, *rows = analyze("r", RUN, project, project / "model.safetensors", tmp_path / "out", progress=False)

    assert heading[:3] == ["order", "ours, mean activation", "ours, max activation"]
    assert heading[3:] == ["paper, Pascal VOC 2012", "paper, Cityscapes", "paper, CVPPP"]
    assert [row[0] for row in rows] == [
        *("right-to-left", "bottom-to-top", "large-to-small"), *("f4", "f3", "f2", "f1", "f0")
    ]  # fmt: skip
    assert rows[0][3:] == ["0.492", "0.950", "-0.360"]
    assert rows[-1][1:] == ["-", "-", "0.274 → 0.634", "0.071 → 0.629", "-0.152 → -0.414"]  # no block of stride 32
    order = pd.read_csv(tmp_path / "out/order.csv", keep_default_na=False)
    mean = order[(order["pattern"] == "f1") & (order["pooling"] == "mean")].set_index("stage")["tau"].astype(float)
    assert rows[-2][1].startswith(f"{mean['before']:.3f} → {mean['after']:.3f} [")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("order.csv", "images.csv", "pairs.csv", "index.md", "index.html"),
        *("tau.png", "pairs.png", "activations.png", MARK),
    }
    for page in ("index.md", "index.html"):
        text = (tmp_path / "out" / page).read_text()
        assert "right-to-left" in text
        assert "0.071 → 0.629" in text
    images = pd.read_csv(tmp_path / "out/images.csv", keep_default_na=False)
    assert images["image_id"].nunique() <= 5
    assert images["tau"].astype(float).between(-1, 1).all()


def test_activations_are_the_blocks_inside_the_masks(project: Path) -> None:
    """Against a slow twin: hooks on the backbone, one image and one mask at a time."""
    split = PreparedSplit(project / "test.h5")
    network = untrained(RUN, len(split.class_names) + 1)
    assert isinstance(network, RSISNetwork)
    seen = list(observe({"before": network, "after": network}, split, RUN))
    assert len(seen) == 5
    item = seen[3]
    images = split.read(3).image[None]
    with torch.no_grad():
        feature = network.encoder.backbone(normalize(images))["layer1"].clamp(min=0).mean(1, keepdim=True)
        wanted = torch.nn.functional.interpolate(feature, split.size, mode="bilinear")[0, 0].numpy()
    assert np.allclose(item.maps["f3", "after"], wanted, atol=1e-5)
    assert np.array_equal(item.maps["f3", "after"], item.maps["f3", "before"])
    for n, mask in enumerate(item.masks):
        rows, columns = np.nonzero(mask)
        assert item.emission.areas[n] == len(rows)
        assert item.emission.centres[n] == pytest.approx([rows.mean(), columns.mean()])
        assert item.emission.activations["f3", "mean", "after"][n] == pytest.approx(wanted[mask].mean(), rel=1e-4)
        assert item.emission.activations["f3", "max", "after"][n] == pytest.approx(wanted[mask].max(), rel=1e-4)


def test_blocks_are_named_by_their_stride() -> None:
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    deep = RSISNetwork(RUN.model.model_copy(update={"stride": 32}), 2).eval()
    assert list(activation_maps(deep, images)) == ["f4", "f3", "f2", "f1", "f0"]
    assert list(activation_maps(RSISNetwork(RUN.model, 2).eval(), images)) == ["f4", "f3", "f2", "f1"]


def test_before_is_what_the_training_began_with() -> None:
    first, again = untrained(RUN, 3).state_dict(), untrained(RUN, 3).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = untrained(RUN.model_copy(update={"train": RUN.train.model_copy(update={"seed": 6})}), 3).state_dict()
    assert not torch.equal(first["encoder.backbone.conv1.weight"], other["encoder.backbone.conv1.weight"])


def test_no_objects_no_order(project: Path, tmp_path: Path) -> None:
    predict = RUN.predict.model_copy(update={"objectness_threshold": 1.0})
    with pytest.raises(UserError, match=r"no image of .*test.h5 has two predicted objects"):
        analyze(
            "r", RUN.model_copy(update={"predict": predict}), project, project / "model.safetensors", tmp_path / "out",
            progress=False,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_the_papers_columns_do_not_need_ours() -> None:
    empty = pd.DataFrame(columns=["pattern", "pooling", "stage", "tau", "low", "high"])
    assert beside_paper(empty, load_published())[1] == ["right-to-left", "-", "-", "0.492", "0.950", "-0.360"]
