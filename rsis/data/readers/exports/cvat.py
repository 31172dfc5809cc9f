"""CVAT's export "CVAT for images 1.1": one XML file.

    <annotations>
      <image id="0" name="day1/a.png" width="64" height="48">
        <polygon label="cat" points="3.00,4.00;9.00,4.00;6.00,8.00" z_order="0" group_id="1"/>
        <mask label="dog" rle="2, 3, 1" left="5" top="7" width="3" height="2" z_order="0"/>
      </image>
    </annotations>

A mask's runs are counted row by row in its box, and the first is of background. Shapes of one label and group_id are
one object; group_id 0 is none. Tags are of the whole picture, and no objects.
"""

from pathlib import Path
from xml.etree import ElementTree

from rsis.data.readers.exports.shapes import ellipse, join_groups, polygon, to_number, to_whole
from rsis.data.readers.exports.source import Gathered, Source
from rsis.data.readers.json_values import read_file_name, read_length, show
from rsis.data.readers.outline_reader import AnnotatedObject, AnnotatedPicture, AnnotationDocument
from rsis.data.readers.outlines import BOX, Outline, PixelRuns, not_drawn
from rsis.data.readers.texts import read_text
from rsis.errors import UserError

_SHAPES = ("polygon", "mask", "box", "ellipse", "polyline", "points", "cuboid", "skeleton")


def read_cvat(source: Source) -> AnnotationDocument:
    """Read the file; raise UserError if it is broken, and for faults of the data set."""
    gathered = Gathered(source)
    root = _parse(source.annotations)
    for image in root.iterfind("image"):
        where = f"{source.annotations}: image {show(image.get('id', '?'))[1:-1]}"
        name = read_file_name(image.attrib, where, "name")
        height, width = (read_length(dict(image.attrib), key, where) for key in ("height", "width"))
        image_id = gathered.find(name, where)
        if image_id is not None:
            objects = _objects(source, image, where)
            size = (height, width) if height and width else None
            gathered.add(image_id, AnnotatedPicture(objects, size), where)
    return gathered.document()


def _parse(path: Path) -> ElementTree.Element:
    text = read_text(path, "CVAT annotations")
    if "<!DOCTYPE" in text:  # it can define a short text that becomes a long one
        raise UserError(f"{path}: has a DOCTYPE, which CVAT does not write; export it again, or remove the DOCTYPE")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{path}: not valid XML ({error}); restore the file, or export it again") from error
    if root.tag != "annotations":
        raise UserError(f'{path}: has the root {root.tag!r}, expected annotations; export as "CVAT for images 1.1"')
    if root.find("track") is not None:
        raise UserError(f'{path}: is of a video, with tracks; expected images; export "CVAT for images 1.1" instead')
    return root


def _objects(source: Source, image: ElementTree.Element, where: str) -> list[AnnotatedObject]:
    objects = []
    for number, shape in enumerate(element for element in image if element.tag in _SHAPES):
        place = f"{shape.tag} {number + 1}"
        class_id = source.classes.id_of(shape.get("label"), f"{where}: {place}")
        group = shape.get("group_id", "").strip()
        objects.append((None if group in ("", "0") else group, AnnotatedObject(place, class_id, _outline(shape))))
    return join_groups(objects)


def _outline(shape: ElementTree.Element) -> Outline:
    match shape.tag:
        case "polygon":
            points = [point.split(",") for point in shape.get("points", "").split(";") if point.strip()]
            if any(len(point) != 2 for point in points):
                return not_drawn("a polygon that is no list of x, y pairs")
            return polygon([to_number(number) for point in points for number in point])
        case "mask":
            return _mask(shape)
        case "box":
            return BOX
        case "ellipse":
            x, y, radius_x, radius_y = (to_number(shape.get(key)) for key in ("cx", "cy", "rx", "ry"))
            return ellipse(x, y, radius_x, radius_y, to_number(shape.get("rotation", "0")))
        case _:
            return not_drawn("a shape that encloses nothing")


def _mask(shape: ElementTree.Element) -> Outline:
    left, top, width, height = (to_whole(shape.get(key)) for key in ("left", "top", "width", "height"))
    runs = [to_whole(run) for run in shape.get("rle", "").split(",")]
    whole = [run for run in runs if run is not None and run >= 0]
    if left is None or top is None or not width or not height or min(width, height) < 0 or len(whole) < len(runs):
        return not_drawn("a mask whose runs or box are no whole numbers")
    return Outline(masks=[PixelRuns([height, width], whole, by_row=True, corner=[left, top])])
