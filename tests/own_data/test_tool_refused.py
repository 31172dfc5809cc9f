"""What `rsis init` does not take is called by its name, with a way out; of two forms one is taken and one noted."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import tool_layouts as layouts
from support import tool_maps as maps
from support.own_folders import write_coco, write_maps
from support.tool_scene import write_picture

from rsis.errors import UserError
from rsis.own_data.recognize import recognize
from rsis.own_data.xml_kinds import read_xml

NAMES = [f"p{number}" for number in range(4)]
BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox>"
PANOPTIC = {"images": [], "categories": [], "annotations": [{"image_id": 1, "segments_info": [], "file_name": "a.png"}]}
DATUMARO = {"info": {}, "categories": {"label": {"labels": []}}, "items": [{"id": "a", "annotations": []}]}
SUPERVISELY = {"description": "", "tags": [], "size": {"height": 4, "width": 4}, "objects": []}
TRACKS = (
    '<annotations><meta/><track id="0" label="cell"><polygon frame="0" points="1,1;5,1;5,5"/></track></annotations>'
)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.xml": f"<annotation><object><name>cell</name>{BOX}</object></annotation>"}, "Pascal VOC XML, which has"),
        ({"a.xml": "<annotation><object><polygon><pt/></polygon></object></annotation>"}, "LabelMe XML (1 file, the"),
        ({"all.xml": TRACKS}, r'export "CVAT for images 1.1" from CVAT instead'),
        ({"panoptic.json": json.dumps(PANOPTIC)}, "COCO panoptic JSON (1 file, the first: panoptic.json)"),
        ({"default.json": json.dumps(DATUMARO)}, "Datumaro JSON"),
        ({"ds/ann/a.png.json": json.dumps(SUPERVISELY), "meta.json": "{}"}, "Supervisely JSON"),
        ({"e.ndjson": "{}\n{}"}, "Labelbox JSON"),
        ({"e.json": '{"data_row": {}, "projects": {}}\n{"data_row": {}}'}, "Labelbox JSON"),
        ({"e.json": '[{"ID": "a", "Labeled Data": "http://x/a.png", "Label": {}}]'}, "Labelbox JSON"),
        ({"e.json": '{"version": "2.0", "item": {}, "annotations": []}'}, "V7 Darwin JSON"),
        ({"e.json": '{"project": {}, "attribute": {}, "file": {}, "metadata": {}, "view": {}}'}, "VIA 3 JSON"),
        ({"e.json": '{"imgHeight": 4, "imgWidth": 4, "objects": []}'}, "Cityscapes JSON"),
        ({"v.csv": "filename,file_size,region_count,region_shape_attributes\n"}, "VIA CSV (1 file, the first: v.csv)"),
        ({"n.csv": "index,shape-type,vertex-index,axis-0,axis-1\n"}, "CSV of napari's shapes"),
        ({"_annotations.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\n"}, "CSV of boxes"),
        ({"train/_classes.csv": "Pixel Value, Class\n"}, "Roboflow semantic masks"),
        ({"a.mat": "", "b.mat": ""}, "MATLAB .mat (2 files, the first: a.mat)"),
        ({"project.qpproj": "{}"}, "export GeoJSON from QuPath"),
        ({"train.tfrecord": ""}, "TFRecord"),
        ({"a.npy": ""}, "NumPy arrays"),
        ({"task-1-annotation-2-by-1-tag-cell-0.png": ""}, "export JSON from Label Studio instead"),
        ({"p0_seg.npy": "", "p1_seg.npy": ""}, "these are cellpose's _seg.npy (2 files), pickled Python, which is not"),
    ],
)
def test_a_form_that_is_not_taken_is_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    write_picture(tmp_path / "p0.jpg", 0)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        recognize(tmp_path)
    assert said in str(caught.value)
    assert "these are" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_key_points_of_yolo_are_no_outlines(tmp_path: Path) -> None:
    layouts.yolo_list(tmp_path)
    (tmp_path / "data.yaml").write_text("kpt_shape: [17, 3]\nnames: [person]\n")
    with pytest.raises(UserError, match=r"data\.yaml: has kpt_shape, so that the labels are key points"):
        recognize(tmp_path)


def test_of_two_forms_the_surer_one_counts(tmp_path: Path) -> None:
    layouts.yolo_list(tmp_path)
    write_coco(tmp_path / "all.json", tmp_path / "images", NAMES)
    found = recognize(tmp_path)
    assert found.format == "coco"
    assert found.left_out == (
        "YOLO labels (6 files, the first: labels/p0.txt): left out, the annotations are those of the COCO instance "
        "JSON (all.json)",
    )
    (tmp_path / "all.json").unlink()
    write_maps(tmp_path, NAMES, "images", "masks")
    found = recognize(tmp_path)
    assert (found.format, found.splits["train"]["maps"]) == ("maps", "masks")
    assert found.left_out[0].startswith("YOLO labels (6 files, the first: labels/p0.txt): left out")


def test_seg_npy_beside_maps_is_left_out_with_a_note(tmp_path: Path) -> None:
    write_maps(tmp_path, NAMES, ".", ".", "_cp_masks")
    for name in NAMES:
        (tmp_path / f"{name}_seg.npy").write_bytes(b"")
    (note,) = recognize(tmp_path).left_out
    assert note.startswith("cellpose's _seg.npy (4 files, the first: p0_seg.npy): left out, the annotations are those")


def test_lists_and_pictures_without_maps_in_a_voc_folder(tmp_path: Path) -> None:
    maps.voc_of_cvat(tmp_path)
    write_picture(tmp_path / "JPEGImages/more.jpg", 9)
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("p0\n")
    found = recognize(tmp_path)
    assert found.splits["train"]["sparse"] is True
    assert found.left_out == (
        "ImageSets/Segmentation/default.txt, ImageSets/Segmentation/val.txt: lists of pictures are not used, the "
        "pictures are divided by shares; the format voc of the documentation uses them",
        "pictures without a map are left out (key sparse)",
    )


def test_classes_of_a_voc_folder_without_a_label_map(tmp_path: Path) -> None:
    maps.voc_of_labelme(tmp_path)
    (tmp_path / "class_names.txt").write_text("__ignore__\n_background_\ndividing cell\ncell\n")
    assert recognize(tmp_path).keys == {"classes": {"dividing cell": 1, "cell": 2}}
    (tmp_path / "class_names.txt").unlink()
    found = recognize(tmp_path)
    assert (found.keys["classes"]["aeroplane"], found.keys["classes"]["tvmonitor"]) == (1, 20)
    assert found.left_out == ("no labelmap.txt names the classes: they are called as the twenty of Pascal VOC",)
    path = tmp_path / "SegmentationClass/p0.png"
    numbers = np.array(Image.open(path))
    Image.fromarray(np.where(numbers == 1, 30, numbers).astype(np.uint8)).save(path)
    assert recognize(tmp_path).keys == {"classes": {"class1": 1, "class2": 2, "class30": 30}}
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\neye:1,2,3::\n\nleg:4,5,6:,:\n")
    assert recognize(tmp_path).keys == {"classes": {"eye": 1, "leg": 2}}  # indices, so the number of the line
    for path in (tmp_path / "SegmentationClass").iterdir():
        path.unlink()
    found = recognize(tmp_path)
    assert found.keys == {}
    assert "class_maps" not in found.splits["train"]
    assert found.left_out == ("no maps of classes (SegmentationClass): all objects are of one class",)


def test_voc_maps_may_have_their_pictures_elsewhere_or_nowhere(tmp_path: Path) -> None:
    maps.voc_of_cvat(tmp_path / "export")
    (tmp_path / "export/JPEGImages").rename(tmp_path / "pictures")
    assert recognize(tmp_path).splits["train"] == {
        "images": "pictures",
        "maps": "export/SegmentationObject",
        "class_maps": "export/SegmentationClass",
        "share": (0.0, 0.7),
    }
    for path in (tmp_path / "pictures").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"SegmentationObject: no picture of the folder is called like p0 in it"):
        recognize(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        *(None, 3, "x", [], [[]], [None], [{"data": 1, "annotations": 3}], {"shapes": None}, {"shapes": [3, {}]}),
        *({"_via_img_metadata": 3}, {"_via_img_metadata": {"a": {"filename": 1, "regions": 2}}}),
        *({"type": "Feature", "properties": 3}, {"type": "FeatureCollection", "features": {"a": 1}}),
        *({"images": 1, "annotations": 2, "categories": 3}, [{"image": 3, "label": [{"original_width": 1, "x": 1}]}]),
        [{"data": {"image": ["a"]}, "annotations": [{"result": [{"type": [], "value": 3, "id": {}}]}]}],
    ],
)
def test_whatever_a_json_holds_ends_in_one_line(tmp_path: Path, content: Any) -> None:
    write_picture(tmp_path / "p0.png", 0)
    (tmp_path / "all.json").write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        recognize(tmp_path)
    assert "\n" not in str(caught.value)


def test_deeply_nested_xml_takes_no_time(tmp_path: Path) -> None:
    """The path of each element was copied, so that the time rose with the square of the depth."""
    depth = 200_000  # 20 s
    (tmp_path / "a.xml").write_text("<annotations>" + "<a>" * depth + "</a>" * depth + "</annotations>")
    began = time.perf_counter()
    assert read_xml(tmp_path / "a.xml", "a.xml") == (None, "")
    assert time.perf_counter() - began < 5
