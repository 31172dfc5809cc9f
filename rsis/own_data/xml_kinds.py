"""Which annotation tool wrote an XML file, and what is in it. Nothing but names of elements and attributes is read."""

from collections import Counter
from pathlib import Path
from xml.parsers import expat

from rsis.own_data.facts import AnnotationFile, Facts, class_of

_ROOTS = ("annotations", "annotation")  # the outermost element of CVAT's files, and of Pascal VOC's
_SHAPES = ("polygon", "mask", "ellipse", "box", "polyline", "points", "cuboid", "skeleton")


class _Elements:
    """What the elements of an XML document say, collected while it is read."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.root = ""
        self.seen: Counter[str] = Counter()
        self.pictures: list[str] = []
        self.subsets: dict[str, None] = {}
        self.shapes: Counter[str] = Counter()
        self.classes: Counter[str] = Counter()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.root = self.root or name
        self.seen[name] += 1
        depth = len(self.path)
        if depth <= 1 and name == "image":
            subset = attributes.get("subset", "")
            self.subsets[subset] = None
            self.pictures.append(f"{subset}/{attributes.get('name', '')}" if subset else attributes.get("name", ""))
        elif depth == 2 and self.path[1] == "image" and name in _SHAPES:
            self.shapes[name] += 1
            if label := class_of(attributes.get("label")):
                self.classes[label] += 1
        self.path.append(name)

    def end(self, _: str) -> None:
        self.path.pop()


class _DoctypeError(Exception):
    """The document declares a document type, which no annotation tool writes."""


def read_xml(path: Path, relative: str) -> tuple[AnnotationFile | None, str]:
    """Return what is in an XML file, None if it holds no annotations, and what is wrong with it, "" if nothing is."""
    found = _Elements()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = found.start, found.end
    parser.StartDoctypeDeclHandler = _refuse
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except OSError as error:
        return None, f"{path}: cannot read ({error.strerror or error}); make it readable"
    except _DoctypeError as error:
        fault = "has a DOCTYPE; expected none, as tools write no such line; remove it"
        return None, f"{path}: {fault}" if str(error) in _ROOTS else ""
    except (expat.ExpatError, ValueError, LookupError) as error:
        fault = f"not valid XML ({error}); restore the file, or export it again"
        return None, f"{path}: {fault}" if found.root in ("", *_ROOTS) else ""
    return _recognized(found, relative), ""


def _refuse(name: str, *_: object) -> None:
    raise _DoctypeError(name)


def _recognized(found: _Elements, relative: str) -> AnnotationFile | None:
    if found.root == "annotations" and found.seen["track"]:
        return AnnotationFile(relative, "cvat_video")
    if found.root == "annotations" and found.pictures:
        facts = Facts(
            tuple(found.pictures),
            found.classes,
            objects=found.shapes.total(),
            boxes=found.shapes["box"],
            subsets=tuple(name for name in found.subsets if name),
        )
        return AnnotationFile(relative, "cvat", facts)
    if found.root == "annotation" and found.seen["object"]:
        return AnnotationFile(relative, "labelme_xml" if found.seen["polygon"] else "voc_xml")
    return None
