"""Which annotation tool wrote a JSON file, by its content."""

from typing import Any

from rsis.own_data.facts import dict_of, dicts_of

_LOOKED_AT = 50  # most items of a list that are looked at
_GEOJSON = ("FeatureCollection", "Feature", "Polygon", "MultiPolygon")
# keys that files of a form have; the first form whose keys are all there counts
_KEYS = (
    ("labelme", {"shapes"}),
    ("via", {"_via_img_metadata"}),
    ("datumaro", {"categories", "items"}),
    ("labelbox", {"data_row"}),
    ("darwin", {"item", "annotations"}),
    ("cityscapes", {"imgHeight", "imgWidth", "objects"}),
    ("supervisely", {"size", "objects"}),
    ("via3", {"project", "attribute", "file", "view"}),
)


def kind_of_json(content: Any) -> str:
    """Return the form of a JSON document, a key of `rsis.own_data.forms.NAMES`; "" if it is none of them."""
    if isinstance(content, dict):
        return _kind_of_object(content)
    items = dicts_of(content)[:_LOOKED_AT] if isinstance(content, list) else []
    if not items:
        return ""
    if all(item.get("type") == "Feature" for item in items):
        return "geojson"
    if any(keys & item.keys() for item in items for keys in ({"Labeled Data"}, {"DataRow ID"}, {"data_row"})):
        return "labelbox"
    if any("data" in item and {"annotations", "completions"} & item.keys() for item in items):
        return "labelstudio"
    if any(is_region(region) for item in items for value in item.values() for region in regions_of(value)):
        return "labelstudio"
    return ""


def regions_of(value: Any) -> list[dict[str, Any]]:
    """Return the regions in a value of a task of Label Studio's JSON-MIN; a value that is no list has none."""
    return dicts_of(value) if isinstance(value, list) else []


def is_region(item: dict[str, Any]) -> bool:
    """Return whether a dictionary of Label Studio's JSON-MIN is a region of a picture."""
    return "original_width" in item and any(key.endswith("labels") for key in item)


def _kind_of_object(content: dict[str, Any]) -> str:
    if {"images", "annotations", "categories"} <= content.keys():
        some = dicts_of(content["annotations"])[:_LOOKED_AT]
        return "panoptic" if some and all("segments_info" in item for item in some) else "coco"
    if content.get("type") in _GEOJSON:
        return "geojson"
    for kind, keys in _KEYS:
        if keys <= content.keys() and (kind != "labelme" or isinstance(content["shapes"], list)):
            return kind
    if any("title" in item and "shape" in item for item in dicts_of(content.get("classes"))):
        return "supervisely"
    entries = dicts_of(content)[:_LOOKED_AT]
    if entries and len(dicts_of(content)) == len(content):
        if all({"filename", "regions"} <= entry.keys() for entry in entries):
            return "via"
        if any("fileref" in dict_of(entry) for entry in entries) and all("regions" in entry for entry in entries):
            return "via"
    return ""
