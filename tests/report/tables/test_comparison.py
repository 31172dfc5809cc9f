"""The comparison table: which rows are shown together, their protocols and their units."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis.config.datasets import CocoDataset, CocoSplit, CvpppDataset, CvpppSplit, ExportDataset
from rsis.config.runs import ModelSection, PredictSection, RunSection, ScoreSection, TrainSection
from rsis.config.sources import FolderSource, PlantSource
from rsis.eval.scores import Scores
from rsis.report.tables.comparison import compare
from rsis.report.tables.protocol import ScoredRun
from rsis.report.tables.published import load_published
from rsis.report.tables.quantities import format_value, label_of
from rsis.report.tables.rows import format_cell, format_gap

CVPPP = {
    "cvppp/sbd": 0.8123,
    "cvppp/sbd_std": 0.05,
    "cvppp/abs_dic": 0.75,
    "cvppp/abs_dic_std": 0.5,
    "cvppp/dic": -0.25,
}
COCO = {"coco/AP": 0.4321, "coco/AP50": 0.9}
PLANTS = PlantSource(kind="plants", seed=1, image_size=(96, 96), training=9, testing=3, leaves=(4, 8))
FOLDER = FolderSource(kind="folder", path="somewhere")


def scored(
    dataset: str,
    config: CvpppDataset | CocoDataset | ExportDataset,
    metrics: dict[str, float],
    images: int = 33,
    split: str = "test",
) -> ScoredRun:
    scorers = tuple(dict.fromkeys(key.partition("/")[0] for key in metrics))
    run = RunSection(
        dataset=dataset,
        model=ModelSection(backbone="resnet18", hidden_widths=(8, 8)),
        train=TrainSection(epochs=1, batch_size=1, num_steps=3, lr=0.1, lr_encoder=0.1),
        predict=PredictSection(num_steps=3),
        score=ScoreSection.model_validate({"scorers": scorers}),
    )
    protocol, empty = {"dataset": dataset, "split": split, "images": images}, pd.DataFrame()
    return ScoredRun("mine", run, config, Scores(metrics, empty, empty, empty, empty, protocol))


def plants(source: PlantSource | FolderSource = PLANTS, size: tuple[int, int] = (96, 96)) -> CvpppDataset:
    return CvpppDataset(format="cvppp", source=source, size=size, splits={"test": CvpppSplit(folder="testing/A1")})


def pictures() -> CocoDataset:
    split = CocoSplit(annotations="instances.json", images="images")
    return CocoDataset(format="coco", source=FOLDER, size=(64, 64), splits={"test": split})


def test_generated_plants_are_never_called_comparable() -> None:
    for dataset in ("plants", "cvppp"):  # not even if the data set has the benchmark's name
        (table,) = compare([scored(dataset, plants(), CVPPP)], load_published())
        assert table.rows[-1].ours
        assert f"generated {dataset}, not CVPPP LSC A1: shown for form, not comparable" in table.rows[-1].remark
        assert any("not comparable" in note for note in table.notes)


def test_another_data_set_is_named() -> None:
    (table,) = compare([scored("barley", plants(FOLDER), CVPPP)], load_published())
    assert "data set barley, not CVPPP LSC A1: shown for form, not comparable" in table.rows[-1].remark


@pytest.mark.parametrize(
    ("images", "split", "size", "remark"),
    [
        (33, "test", (400, 400), "same data, split and scorer; input 400 \u00d7 400"),
        (33, "test", (500, 500), "same data, split and scorer; input 500 \u00d7 500"),
        (33, "test", (256, 256), "protocol differs: input 256 \u00d7 256, not 400 \u00d7 400 or 500 \u00d7 500"),
        (32, "val", (400, 400), "protocol differs: val split, not test; 32 images, not 33"),
    ],
)
def test_the_benchmark_itself(images: int, split: str, size: tuple[int, int], remark: str) -> None:
    (table,) = compare([scored("cvppp", plants(FOLDER, size), CVPPP, images, split)], load_published())
    assert table.rows[-1].remark == remark


@pytest.mark.parametrize(
    ("dataset", "config", "split", "gaps"),
    [
        ("cvppp", plants(FOLDER), "test", ["+10.6", "\u22120.4"]),
        ("cvppp", plants(FOLDER), "val", []),
        ("barley", plants(FOLDER), "test", []),
        ("plants", plants(), "test", []),
        ("cvppp", plants(), "test", []),
    ],
)
def test_a_difference_to_the_paper_only_on_its_data_and_split(
    dataset: str, config: CvpppDataset, split: str, gaps: list[str]
) -> None:
    (table,) = compare([scored(dataset, config, CVPPP, split=split)], load_published())
    row = table.rows[-1]
    assert [format_gap(row, column) for column in table.columns if row.differences] == gaps
    assert row.reference == ("RSIS (v1)" if gaps else "")


def test_cvppp_rows_columns_and_cells() -> None:
    (table,) = compare([scored("plants", plants(), CVPPP)], load_published())
    assert [column.key for column in table.columns] == ["cvppp/sbd", "cvppp/abs_dic"]
    cells = {row.method: [format_cell(row, column) for column in table.columns] for row in table.rows}
    assert cells["RSIS (v1)"] == ["70.6 ± 11.2", "1.2 ± 1.1"]
    assert cells["PRIAn"] == ["-", "1.3 ± 1.2"]
    assert cells["De Brabandere et al."] == ["84.2", "0.8"]
    assert cells["Mask R-CNN + synthetic leaves"] == ["about 90", "-"]
    assert cells["RSIS, run mine"] == ["81.2 ± 5.0", "0.8 ± 0.5"]
    assert [row.ours for row in table.rows] == [False] * 11 + [True]


def test_coco_stands_beside_published_numbers_on_the_same_data_only() -> None:
    (other,) = compare([scored("dsb2018", pictures(), COCO)], load_published())
    assert [row.ours for row in other.rows] == [True]
    assert [column.key for column in other.columns] == list(COCO)
    assert "No published result" in other.notes[0]
    (same,) = compare([scored("coco", pictures(), COCO)], load_published())
    assert [row.method for row in same.rows] == ["Mask2Former R50", "RSIS, run mine"]


@pytest.mark.parametrize("form", ["yolo", "labelme", "cvat", "labelstudio", "via", "geojson", "imagej"])
def test_data_of_annotation_tools_stand_beside_no_published_numbers(form: str) -> None:
    data = ExportDataset.model_validate(
        {"format": form, "source": FOLDER, "size": (64, 64), "splits": {"test": {"annotations": "a", "images": "i"}}}
    )
    tables = compare([scored("mine", data, CVPPP | COCO)], load_published())
    assert [table.scorer for table in tables] == ["cvppp", "coco"]
    assert all(row.ours for table in tables for row in table.rows)


def test_average_precision_always_names_its_scorer() -> None:
    for table in load_published().tables.values():
        for key in table.columns:
            assert "AP" not in label_of(key) or "(" in label_of(key)
    assert label_of("coco/AP") == "AP (COCO)"
    assert label_of("cityscapes/AP") == "AP (Cityscapes)"
    assert label_of("voc/AR10_iou50") == "AR10 at IoU .50 (VOC)"


def test_one_table_per_scorer() -> None:
    runs = [scored("plants", plants(), CVPPP | COCO), scored("dsb2018", pictures(), COCO)]
    tables = compare(runs, load_published())
    assert [(table.scorer, sum(row.ours for row in table.rows)) for table in tables] == [("cvppp", 1), ("coco", 2)]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.floats(0, 1))
def test_fractions_are_printed_times_hundred(value: float) -> None:
    assert float(format_value(value, "fraction")) == pytest.approx(100 * value, abs=0.05001)


def test_missing_numbers_are_dashes() -> None:
    assert format_value(None, "fraction") == format_value(float("nan"), "count") == "-"
