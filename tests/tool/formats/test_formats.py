"""Files for annotation tools, read by programs that share no code with their writers: the same masks come back."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import tifffile
import yaml
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy.ndimage import gaussian_filter
from support.in_process import exit_code as rsis
from support.predictions import predict_all
from support.small_model import CLASSES, write_small_model

from rsis import RSIS
from rsis.errors import UserError
from rsis.predict.patch import Patch
from rsis.tool.formats.write import SUFFIX_OF, Format
from rsis.tool.instance import Instance
from rsis.tool.result import ImageResult

SIZE = (70, 90)
POLYGONS: tuple[Format, ...] = ("yolo", "labelme", "imagej", "geojson")
Masks = list[tuple[str, np.ndarray]]  # class and bool [H, W]
Ring = Any  # points [P, 2]


def draw(rings: Iterable[Ring], size: tuple[int, int] = SIZE) -> np.ndarray:
    """What is inside an odd number of polygons, as pycocotools draws them."""
    inside = np.zeros(size, np.int64)
    for ring in rings:
        (encoded,) = coco_mask.frPyObjects([np.asarray(ring, float).ravel().tolist()], *size)
        inside += coco_mask.decode(encoded)
    return np.asarray(inside % 2 == 1)


def read_coco(path: Path) -> Masks:
    found = COCO(path)
    return [
        (found.cats[item["category_id"]]["name"], found.annToMask(item).astype(bool)) for item in found.anns.values()
    ]


def read_yolo(path: Path) -> Masks:
    masks = []
    for line in path.read_text().splitlines():
        number, *fractions = line.split()
        points = np.array(fractions, float).reshape(-1, 2)
        assert len(points) >= 3
        assert ((points >= 0) & (points <= 1)).all()
        masks.append((CLASSES[int(number)], draw([points * (SIZE[1], SIZE[0])])))
    return masks


def read_labelme(path: Path) -> Masks:
    document = json.loads(path.read_text())
    assert document["imageData"] is None
    assert (document["imageHeight"], document["imageWidth"]) == SIZE
    objects: dict[object, tuple[str, np.ndarray]] = {}
    for number, shape in enumerate(document["shapes"]):
        assert shape["shape_type"] == "polygon"
        key = ("alone", number) if shape["group_id"] is None else shape["group_id"]
        mask = draw([shape["points"]])
        objects[key] = (shape["label"], mask | objects[key][1] if key in objects else mask)
    return list(objects.values())


def read_imagej(path: Path) -> Masks:
    rois = roifile.roiread(path)
    assert isinstance(rois, list)
    return [(CLASSES[roi.group - 1], draw(roi.coordinates(multi=True))) for roi in rois]


def read_geojson(path: Path) -> Masks:
    masks = []
    document = json.loads(path.read_text())
    assert document["type"] == "FeatureCollection"
    for feature in document["features"]:
        kind, polygons = feature["geometry"]["type"], feature["geometry"]["coordinates"]
        assert kind in ("Polygon", "MultiPolygon")
        mask = np.zeros(SIZE, bool)
        for outer, *holes in polygons if kind == "MultiPolygon" else [polygons]:
            assert all(ring[0] == ring[-1] for ring in (outer, *holes))
            mask |= draw([outer[:-1]]) & ~draw([hole[:-1] for hole in holes])
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        masks.append((properties["classification"]["name"], mask))
    return masks


READERS: dict[Format, Callable[[Path], Masks]] = {
    "coco": read_coco, "yolo": read_yolo, "labelme": read_labelme, "imagej": read_imagej, "geojson": read_geojson,
}  # fmt: skip


@pytest.fixture(scope="module")
def result() -> ImageResult:
    """Objects of one part, with holes, of several parts, of noise, of a single pixel, and the whole picture."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    disc, inner = np.hypot(y - 30, x - 40) < 20, np.hypot(y - 32, x - 41) < 8
    blobs, dot = gaussian_filter(random.random(SIZE), 3) > 0.52, np.zeros(SIZE, bool)
    dot[69, 0] = True
    masks = [
        disc,
        disc & ~inner,
        disc & ~inner | (x > 80),
        blobs,
        (random.random(SIZE) < 0.3) & (x > 75),
        dot,
        np.ones(SIZE, bool),
    ]
    items = [
        Instance(n + 1, Patch.of(mask), n % 2 + 1, CLASSES[n % 2], np.array([0.75, 0.75]), 0.5, n)
        for n, mask in enumerate(masks)
    ]
    image = np.zeros((*SIZE, 3), np.uint8)
    return ImageResult("pictures/a.png", image, tuple(items), (0.5,) * len(items), CLASSES)


def agreed(read: Masks, result: ImageResult) -> list[float]:
    """IoU of each object."""
    assert [name for name, _ in read] == [item.class_name for item in result.instances]
    pairs = zip([mask for _, mask in read], [item.mask for item in result.instances], strict=True)
    return [float((a & b).sum() / (a | b).sum()) for a, b in pairs]


@pytest.mark.parametrize("kind", READERS)
def test_every_format_gives_the_masks_again(result: ImageResult, tmp_path: Path, kind: Format) -> None:
    path = tmp_path / "new" / f"file{SUFFIX_OF[kind]}"
    result.save(path, kind, tolerance=0)
    assert set(agreed(READERS[kind](path), result)) == {1.0}
    exact = path.read_bytes()
    result.save(path, kind)
    ious = agreed(READERS[kind](path), result)
    if kind == "coco":
        assert path.read_bytes() == exact
    else:
        assert path.read_bytes() != exact
        assert min(ious[:3]) >= 0.98  # of 20 pixels or more across
        assert min(ious) >= 0.9
    result.save(path, kind)
    before = path.read_bytes()
    result.save(path, kind)
    assert path.read_bytes() == before  # equal objects, equal bytes


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff"])
def test_maps_have_the_numbers_of_the_objects(result: ImageResult, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"map.{suffix}"
    result.save(path)
    stored = np.asarray(Image.open(path)) if suffix == "png" else tifffile.imread(path)
    assert stored.dtype == np.uint16
    assert np.array_equal(stored, result.to_instance_map())


def test_details_that_tools_show(result: ImageResult, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    picture = tmp_path / "pictures/a.png"
    picture.touch()
    named = ImageResult(str(picture), result.image, result.instances, (), CLASSES)
    named.save(tmp_path / "out/found.json", "labelme")
    document = json.loads((tmp_path / "out/found.json").read_text())
    assert document["imagePath"] == "../pictures/a.png"
    groups = [shape["group_id"] for shape in document["shapes"]]
    assert groups[:4] == [None, None, 3, 3]
    assert document["shapes"][0]["score"] == 0.375

    result.save(tmp_path / "found.geojson")
    feature = json.loads((tmp_path / "found.geojson").read_text())["features"][2]
    assert feature["properties"]["name"] == "3"
    assert feature["properties"]["measurements"] == {"score": 0.375, "objectness": 0.5}

    result.save(tmp_path / "found.zip")
    rois = roifile.roiread(tmp_path / "found.zip")
    assert isinstance(rois, list)
    assert [roi.name for roi in rois[:2]] == ["0001-disc", "0002-square"]
    assert rois[0].roitype == roifile.ROI_TYPE.POLYGON
    assert rois[0].properties["score"] == 0.375
    assert (rois[2].left, rois[2].top, rois[2].right, rois[2].bottom) == (21, 0, 90, 70)


def test_a_table_and_a_picture_for_notebooks(result: ImageResult) -> None:
    table = result.to_dataframe()
    assert list(table) == [
        "image", "number", "class", "score", "objectness", "area", "top", "left", "bottom", "right", "step",
    ]  # fmt: skip
    assert table["area"].tolist() == [int(item.mask.sum()) for item in result.instances]
    assert table["class"].value_counts().to_dict() == {"disc": 4, "square": 3}
    assert table[["top", "left", "bottom", "right"]].to_numpy()[5].tolist() == [69, 0, 70, 1]
    empty = ImageResult("a", result.image, (), (), CLASSES)
    assert empty.to_dataframe().shape == (0, 11)
    assert result._repr_png_().startswith(b"\x89PNG")


def test_faults_are_one_line(result: ImageResult, tmp_path: Path) -> None:
    for arguments, message in (
        (("a.xyz",), "a.xyz: no format has this suffix; name one of coco, yolo"),
        (("a.json", "voc"), "format 'voc': unknown; expected one of coco, yolo"),
    ):
        with pytest.raises(UserError, match=message):
            result.save(*arguments)
    for tolerance in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match=r"tolerance is .*; expected a number of pixels, 0 or more"):
            result.save(tmp_path / "a.txt", tolerance=tolerance)
    wide = np.zeros((1, 40_000), bool)
    wide[0, 39_000:] = True
    item = Instance(1, Patch.of(wide), 1, "disc", np.array([1.0, 0.0]), 1.0, 0)
    strip = ImageResult("strip.png", np.zeros((1, 40_000, 3), np.uint8), (item,), (1.0,), CLASSES)
    with pytest.raises(UserError, match=r"strip.png: a picture of 1 x 40000 pixels; imagej holds up to 32767 a side"):
        strip.save(tmp_path / "a.zip")
    many = tuple(Instance(n, Patch.of(wide), 1, "disc", np.array([1.0, 0.0]), 1.0, 0) for n in (65_536,))
    with pytest.raises(UserError, match=r"strip.png: 65536 objects; an instance map of 16 bits holds 65535"):
        ImageResult("strip.png", strip.image, many, (), CLASSES).save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "small.safetensors")


def test_the_command_writes_several_formats_where_tools_look(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    for name in ("day1/a.png", "day2/a.png", "b.jpg", "day1/c.png", "day1/c.jpg"):
        Path("pictures", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*SIZE, 3), np.uint8)).save(Path("pictures", name))
    command = ["predict-images", "pictures", "--checkpoint", checkpoint, "--out", "found"]
    formats = [word for kind in (*POLYGONS, "tiff") for word in ("--format", kind)]
    assert rsis(monkeypatch, *command, *formats, "--tolerance", 0) == 0
    written = sorted(path.as_posix() for path in Path("found").rglob("*") if path.is_file())
    names = ("b", "day1/a", "c_jpg", "c_png", "day2/a")  # two of one name cannot both be day1/c.txt
    places = {"yolo/labels": "txt", "labelme": "json", "imagej": "zip", "geojson": "geojson", "tiff": "tif"}
    flat = ("b", "day1_a_png", "c_jpg", "c_png", "day2_a_png")
    assert written == sorted(
        [f"found/{place}/{name}.{suffix}" for place, suffix in places.items() for name in names]
        + [f"found/overlays/{name}.png" for name in flat]
        + ["found/images.csv", "found/objects.csv", "found/yolo/data.yaml"]
    )
    model = RSIS.from_checkpoint(checkpoint)
    for result in predict_all(model, "pictures", progress=True):
        tree = Path(result.image_id).relative_to("pictures").with_suffix("")
        if tree.name == "c":
            continue
        for kind, folder in zip(POLYGONS, places, strict=False):
            assert set(agreed(READERS[kind](Path("found", folder, f"{tree}.{places[folder]}")), result)) == {1.0}
        assert np.array_equal(tifffile.imread(f"found/tiff/{tree}.tif"), result.to_instance_map())
        labelme = Path("found/labelme", f"{tree}.json")
        found = json.loads(labelme.read_text())["imagePath"]
        assert (labelme.parent / found).samefile(result.image_id)
    data = yaml.safe_load(Path("found/yolo/data.yaml").read_text())
    assert data == {"train": "images", "val": "images", "names": {0: "disc", 1: "square"}}

    capsys.readouterr()
    assert rsis(monkeypatch, *command, "--format", "geojson") == 2
    assert "found/overlays/b.png: is there already; use --force" in capsys.readouterr().err
    (tmp_path / "again/geojson/day2").mkdir(parents=True)
    (tmp_path / "again/geojson/day2/a.geojson").touch()
    assert rsis(monkeypatch, *command[:-1], "again", "--format", "geojson") == 2
    assert "again/geojson/day2/a.geojson: is there already; use --force" in capsys.readouterr().err
    for wrong, message in (
        (("--format", "voc"), "rsis: format 'voc': unknown; expected one of coco, yolo, labelme, png, tiff, imagej"),
        (("--tolerance", "inf"), "rsis: tolerance is inf; expected a number of pixels, 0 or more"),
    ):
        assert rsis(monkeypatch, *command[:-1], "other", *wrong) == 2
        assert capsys.readouterr().err.startswith(message)
    assert not Path("other").exists()


def test_names_below_what_the_user_named(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture = np.zeros((*SIZE, 3), np.uint8)
    for name in ("one/x/a.png", "two/x/b.png", "three/c.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(name)
    tifffile.imwrite("three/stack.tif", np.zeros((2, *SIZE), np.uint8), photometric="minisblack")
    sources = ["one", "two/*/*.png", "three/c.png", "three/stack.tif"]
    assert (
        rsis(monkeypatch, "predict-images", *sources, "--checkpoint", checkpoint, "--out", "o", "--format", "yolo") == 0
    )
    labels = {path.relative_to("o/yolo/labels").as_posix() for path in Path("o/yolo/labels").rglob("*.txt")}
    assert labels == {"x/a.txt", "x/b.txt", "c.txt", "stack_1.txt", "stack_2.txt"}
