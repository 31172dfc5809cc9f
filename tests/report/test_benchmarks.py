"""The paper's benchmarks: which data sets are one, differences to the paper's run, and the ablation table."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.made_up_run import DATA

from rsis.config.datasets import AnyDataset, CityscapesDataset, VocDataset
from rsis.config.params import Params, load_params
from rsis.config.runs import ModelSection, PredictSection, RunSection, ScoreSection, TrainSection
from rsis.config.sources import ArchiveSource, CityscapesSource, FolderSource
from rsis.eval.scores import Scores
from rsis.report.tables.ablation import ablations
from rsis.report.tables.comparison import compare
from rsis.report.tables.protocol import ScoredRun, official_split, settings_differences
from rsis.report.tables.published import load_published
from rsis.report.tables.quantities import format_difference
from rsis.report.tables.rows import format_cell, format_gap

ARCHIVES = ArchiveSource.model_validate(
    {"kind": "archives", "files": {"a.tar": {"urls": ("https://example.org/a.tar",), "checksum": "md5:" + "0" * 32}}}
)
PASCAL = VocDataset.model_validate(
    {
        "format": "voc",
        "source": ARCHIVES,
        "size": (256, 256),
        "voc": "VOC2012",
        "sbdataset": "sbd",
        "splits": {
            "val": {"image_sets": ("train",), "sbdataset": ("train",), "share": (0.0, 0.1)},
            "test": {"image_sets": ("val",)},
        },
    }
)
STREETS = CityscapesDataset.model_validate(
    {
        "format": "cityscapes",
        "source": CityscapesSource(kind="cityscapes", packages=("a.zip",)),
        "size": (256, 512),
        "splits": {"val": {"folder": "val"}, "test": {"folder": "test"}},
    }
)
VOC = {"voc/APr50": 0.6, "voc/APr60": 0.5, "voc/AR10_iou50": 0.7, "coco/AP": 0.3}
PERSON = pd.DataFrame({"class_name": ["cat", "person"], "objects": [0, 9], "voc/APr50": [None, 0.62]})
PAPER = ModelSection(backbone="resnet101", weights="IMAGENET1K_V2", hidden_widths=(128, 128, 64, 32, 16))
RULES = {"num_steps": 10, "min_area": 0.001}


def scored(
    name: str = "mine",
    dataset: str = "pascal",
    config: AnyDataset = PASCAL,
    metrics: dict[str, float] = VOC,  # never changed
    model: ModelSection = PAPER,
    images: int = 1449,
    per_class: pd.DataFrame = PERSON,
    **protocol: Any,
) -> ScoredRun:
    run = RunSection(
        dataset=dataset,
        model=model,
        train=TrainSection(epochs=1, batch_size=28, num_steps=10, lr=1e-3, lr_encoder=1e-6, weight_decay=1e-6),
        predict=PredictSection.model_validate(RULES),
        score=ScoreSection(scorers=tuple(dict.fromkeys(key.partition("/")[0] for key in metrics))),
    )
    facts = {"dataset": dataset, "split": "test", "images": images, **protocol}
    empty = pd.DataFrame()
    return ScoredRun(name, run, config, Scores(metrics, empty, per_class, empty, empty, facts))


def last(run: ScoredRun, number: int = 0) -> Any:
    return compare([run], load_published())[number].rows[-1]


def test_the_papers_own_protocol_has_no_differences() -> None:
    voc, recall, coco = compare([scored()], load_published())
    assert (voc.title, recall.title[:23], coco.benchmark) == (
        "Region average precision AP^r on Pascal VOC 2012",
        "Class-agnostic average ",
        "COCO scorer",
    )
    assert voc.rows[-1].remark == "same data, split and scorer; input 256 \u00d7 256"  # our test split is VOC's val
    assert voc.notes[0] == "Run mine: same data, split and scorer; input 256 \u00d7 256."
    assert not any(row.ours for row in recall.rows[:-1])
    cells = {
        column.key: (format_cell(voc.rows[-1], column), format_gap(voc.rows[-1], column)) for column in voc.columns
    }
    assert cells == {
        "voc/APr50": ("60.0", "+2.4"),
        "voc/APr60": ("50.0", "\u22122.5"),
        "voc/APr70": ("-", "-"),
        "voc/APr80": ("-", "-"),
        "voc/person_APr50": ("62.0", "+1.1"),
    }
    assert voc.rows[-1].reference == "RSIS R101 (v1)"
    assert "RSIS VGG16 (v1)" in {row.method for row in voc.rows}
    assert "Mask R-CNN R101" in {row.method for row in voc.rows}  # results of other methods


def test_every_published_method_is_there() -> None:
    streets = scored("s", "cityscapes", STREETS, {"cityscapes/AP": 0.1}, images=500, split="val")
    tables = compare([scored(), streets], load_published())
    published = load_published().tables
    for name in ("voc_apr", "voc_recall", "cityscapes_ap"):
        shown = next(table for table in tables if table.title == published[name].title)
        assert {row.method for row in published[name].rows} <= {row.method for row in shown.rows}


def test_cityscapes_columns_of_cars_and_its_own_split() -> None:
    cars = pd.DataFrame({"class_name": ["car"], "cityscapes/AP": [0.25], "cityscapes/AP50": [0.5]})
    run = scored("s", "cityscapes", STREETS, {"cityscapes/AP": 0.06}, images=500, per_class=cars, split="val")
    row = last(run)
    assert (row.values["cityscapes/car_AP"], row.values["cityscapes/car_AP100m"]) == (0.25, None)
    assert row.differences == {}
    assert row.remark == "protocol differs: val split, not test; 500 images, not 1525"
    secret = last(scored("s", "cityscapes", STREETS, {"cityscapes/AP": 0.06}, images=1525, per_class=cars))
    assert secret.differences["cityscapes/car_AP50"] == pytest.approx(0.5 - 0.426)


@pytest.mark.parametrize("dataset", ["tiny", "scenes", "streets"])
def test_generated_data_are_never_the_benchmark(dataset: str) -> None:
    config = DATA[dataset]
    benchmark, key = {
        "tiny": ("CVPPP LSC A1", "cvppp/sbd"),
        "scenes": ("Pascal VOC 2012", "voc/APr50"),
        "streets": ("Cityscapes", "cityscapes/AP"),
    }[dataset]
    official = {"tiny": "cvppp", "scenes": "pascal", "streets": "cityscapes"}[dataset]
    for name in (dataset, official):  # not even if the data set has the benchmark's name
        row = last(scored("mine", name, config, {key: 0.5}))
        assert row.remark.startswith(f"generated {name}, not {benchmark}: shown for form, not comparable")
        assert row.group.startswith(f"This project, generated {name}, ")


def test_a_sample_of_the_benchmark_is_not_the_benchmark() -> None:
    sample = PASCAL.model_copy(update={"source": FolderSource(kind="folder", path="x")})
    assert "data set voc2007, not Pascal VOC 2012: shown for form" in last(scored("mine", "voc2007", sample)).remark


def test_splits_go_by_the_benchmarks_names() -> None:
    assert official_split(scored()) == "val"
    assert official_split(scored(split="val")) == "our own val"
    assert official_split(scored("s", "cityscapes", STREETS, split="val")) == "val"
    assert "our own val split, not val; 120 images, not 1449" in last(scored(split="val", images=120)).remark


def test_settings_that_differ_are_spelled_out() -> None:
    benchmark = load_published().benchmarks["pascal-voc-2012"]
    assert settings_differences(scored(), benchmark) == ()
    small = ModelSection(backbone="resnet18", hidden_widths=(8, 8), skip_mode="sum", box_head=True)
    recorded = {"predict": {**RULES, "objectness_threshold": 0.2, "largest_component": True}}
    rules = {"rules": {"classes": "best", "remove_ignored": False}}
    found = settings_differences(scored(model=small, **recorded, **rules, left_out=["a", "b"]), benchmark)
    assert set(found) == {
        "backbone resnet18 (paper: resnet101)",
        "pretrained weights none (paper: ImageNet)",
        "ConvLSTMs 2 (paper: 5)",
        "widths of the ConvLSTMs 8, 8 (paper: 128, 128, 64, 32, 16)",
        "skip connections sum (paper: concat)",
        "box head yes (paper: no)",
        "objectness threshold 0.2 (paper: 0.5)",
        "largest connected part only yes (paper: no)",
        "classes a mask counts for best (paper: all)",
        "ignored pixels taken out of masks no (paper: yes)",
        "2 images left out as broken",
    }
    (note,) = [n for n in compare([scored(model=small)], load_published())[0].notes if n.startswith("Run mine")]
    assert "Not as the paper's own run: backbone resnet18 (paper: resnet101)" in note


def test_runs_of_one_protocol_share_a_note_and_tables_of_one_benchmark_too() -> None:
    voc, recall, _ = compare([scored("a"), scored("b")], load_published())
    assert voc.notes[0].startswith("Runs a, b: same data")
    assert "below the first table" in recall.notes[0]


def test_the_papers_keys_are_ours() -> None:
    run = scored().run_config
    for benchmark in load_published().benchmarks.values():
        for path in benchmark.paper:
            section, _, key = path.partition(".")
            assert path == "model.conv_lstms" or hasattr(getattr(run, section), key), path


def test_the_benchmarks_names_are_those_of_the_parameters() -> None:
    params: Params = load_params(Path(__file__).parents[2] / "params.yaml")
    for benchmark in load_published().benchmarks.values():
        if benchmark.datasets != ("coco",):
            for name in benchmark.datasets:
                assert not params.dataset(name).source.generated


def model(backbone: str, skip: str, layers: int) -> ModelSection:
    values = {"backbone": backbone, "skip_mode": skip, "hidden_widths": (8,) * layers}
    return ModelSection.model_validate(values)


def test_ablation_sets_runs_beside_their_rows() -> None:
    runs = [
        scored("full"),
        scored("vgg", model=model("vgg16", "concat", 5)),
        scored("one", model=model("resnet101", "none", 1)),  # with one layer the skip mode has no effect
        scored("other", model=model("resnet34", "sum", 3)),
    ]
    (table,) = ablations(runs, load_published())
    assert table.settings == ("Encoder", "Skip", "ConvLSTMs")
    assert not table.grouped
    names = [row.method.removeprefix("RSIS, run ") for row in table.rows]
    before = {name: table.rows[names.index(name) - 1] for name in ("full", "vgg", "one")}
    assert before["full"].settings == ("ResNet-101", "concat", "5")
    assert before["vgg"].settings == ("VGG16", "concat", "5")
    assert before["one"].settings == ("ResNet-101", "-", "1")
    ours = {name: table.rows[names.index(name)] for name in ("full", "vgg", "one", "other")}
    assert ours["vgg"].differences["voc/APr50"] == pytest.approx(0.6 - 0.465)
    assert ours["full"].differences["voc/person_APr50"] == pytest.approx(0.62 - 0.609)
    assert ours["other"] is table.rows[-1]
    assert ours["other"].differences == {}
    assert "no such row in the paper" in ours["other"].remark
    assert len(table.rows) == 10 + 4


def test_an_ablation_on_other_data_has_no_difference() -> None:
    small = PASCAL.model_copy(update={"source": FolderSource(kind="folder", path="x")})
    runs = [scored("other", "voc2007", small), scored("val", split="val", images=120)]
    (table,) = ablations(runs, load_published())
    ours = [row for row in table.rows if row.ours]
    assert len(ours) == 2
    assert all((row.differences, row.reference) == ({}, "") and "no such row" not in row.remark for row in ours)


def test_no_ablation_without_a_row_for_it() -> None:
    lone = scored(model=model("resnet18", "concat", 3))
    assert ablations([lone], load_published()) == ()
    assert ablations([scored(metrics={"coco/AP": 0.5})], load_published()) == ()


@pytest.mark.parametrize(
    ("value", "text"), [(0.0312, "+3.1"), (-0.0004, "0.0"), (0.0, "0.0"), (-0.5, "\u221250.0"), (None, "-")]
)
def test_differences_have_a_sign(value: float | None, text: str) -> None:
    assert format_difference(value, "fraction") == text
