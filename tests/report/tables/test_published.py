"""Published results: equal to those in the paper, complete, and validated when read."""

from pathlib import Path

import pytest

from rsis.errors import UserError
from rsis.report.tables.published import PACKAGED, load_published

# Copied by hand from the paper: table, method, key, number.
BY_EYE = [
    ("voc_apr", "SDS", "voc/APr80", 0.087),
    ("voc_apr", "R2-IOS", "voc/APr80", None),
    ("voc_apr", "RIS+CRF", "voc/person_APr50", 0.501),
    ("voc_apr", "RSIS VGG16 (v1)", "voc/APr50", 0.462),
    ("voc_apr", "RSIS R101 (v1)", "voc/APr70", 0.433),
    ("voc_apr", "RSIS R101 (v4)", "voc/APr80", 0.378),
    ("voc_recall", "RSIS (v1)", "voc/AR10_iou50", 0.682),
    ("voc_recall", "RSIS (v1)", "voc/AR50_iou85", 0.429),
    ("voc_recall", "COB", "voc/AR50_iou70", 0.528),
    ("cvppp_a1", "RSIS (v1)", "cvppp/sbd", 0.706),
    ("cvppp_a1", "RSIS (v1)", "cvppp/sbd_std", 0.112),
    ("cvppp_a1", "RSIS (v4)", "cvppp/abs_dic", 1.1),
    ("cvppp_a1", "PRIAn", "cvppp/sbd", None),
    ("cvppp_a1", "Nottingham", "cvppp/abs_dic_std", 2.0),
    ("cvppp_a1", "Ren & Zemel", "cvppp/abs_dic", 0.8),
    ("cityscapes_ap", "Mask R-CNN", "cityscapes/AP50m", 0.495),
    ("cityscapes_ap", "DWT", "cityscapes/car_AP100m", 0.535),
    ("cityscapes_ap", "RSIS (v1)", "cityscapes/car_AP50m", 0.447),
    ("cityscapes_ap", "RSIS (v4)", "cityscapes/AP100m", None),
    ("order_cityscapes", "right-to-left", "order/tau", 0.9499),
    ("order_cvppp", "bottom-to-top", "order/tau", -0.7212),
    ("order_cvppp", "f0", "order/tau_before", -0.152),
    ("order_pascal", "f0", "order/tau", 0.634),
    ("field_cityscapes", "OneFormer", "cityscapes/AP", 0.487),
    ("field_voc", "Mask R-CNN R101", "voc/APr50", 0.679),
    ("field_coco", "Mask2Former R50", "coco/AP", 0.437),
    ("field_cvppp", "Mask R-CNN + synthetic leaves", "cvppp/sbd", 0.9),
]


@pytest.mark.parametrize(("table", "method", "key", "number"), BY_EYE)
def test_numbers_are_the_papers(table: str, method: str, key: str, number: float | None) -> None:
    found = load_published().tables[table]
    (row,) = [row for row in found.rows if row.method == method]
    assert found.values_of(row)[key] == number


def test_every_table_is_there_with_all_its_rows() -> None:
    rows = {name: len(table.rows) for name, table in load_published().tables.items()}
    assert rows == {
        "voc_apr": 12,
        "voc_recall": 4,
        "cvppp_a1": 10,
        "cityscapes_ap": 7,
        "voc_ablation": 10,
        "order_pascal": 8,
        "order_cityscapes": 8,
        "order_cvppp": 8,
        "field_cvppp": 1,
        "field_cityscapes": 3,
        "field_voc": 1,
        "field_coco": 1,
    }


def test_ablation_names_what_it_varies() -> None:
    table = load_published().tables["voc_ablation"]
    found = {tuple(row.settings.values()): row.values for row in table.rows}
    assert found["resnet101", "mul", 5] == (0.561, 0.592)
    assert found["resnet101", "concat", 2] == (0.545, 0.540)
    assert found["resnet101", 1] == (0.533, 0.506)
    assert len(found) == 10


def test_rows_of_the_later_version_are_marked() -> None:
    for table in load_published().tables.values():
        for row in table.rows:
            source = table.source_of(row)
            assert (source.version == "v4") == ("(v4)" in row.method)
            assert (source.version == "secondary") == (table.kind == "field")
            assert "arXiv" in source.citation or source.version == "secondary"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("values: [0.667, 0.076, 2.3, 1.6]", "values: [0.667, 0.076, 2.3]", "'MSU' has 3 values for 4 columns"),
        ("values: [0.667, 0.076, 2.3, 1.6]", "values: [66.7, 0.076, 2.3, 1.6]", "cvppp/sbd is 66.7, not a fraction"),
        ("cvppp/abs_dic: count,", "coco/AP: fraction,", "a table has one scorer"),
        ("benchmark: coco\n", "benchmark: lvis\n", "tables.field_coco.benchmark is 'lvis'"),
        ("kind: field\n", "kind: rumour\n", "kind"),
        ("method: MSU,", "methods: MSU,", "rows.0.methods"),
        ("tables:\n", "tables: [\n", "not valid YAML"),
    ],
)
def test_faults_are_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = PACKAGED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "published.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_published(path)
    assert fault in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: cannot read"):
        load_published(tmp_path / "none.yaml")
