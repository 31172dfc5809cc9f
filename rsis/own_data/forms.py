"""The forms of annotations that are recognised: their names, and what to do about those that are not taken."""

from collections.abc import Mapping

FORMS = """expected one of: a COCO instance JSON with its pictures; pictures and instance maps of equal names, in two \
folders such as images/ and labels/ or in one with a suffix such as cell_label.png; a folder for each picture with \
images/ and masks/ in it; YOLO's outlines in images/ and labels/; JSON of LabelMe, Label Studio or VIA; XML of CVAT \
for images; a Pascal VOC folder with SegmentationObject/; a Cell Tracking Challenge folder with 01_GT/SEG/; GeoJSON of \
QuPath or ROI files of ImageJ named like the pictures"""

NAMES: Mapping[str, str] = {
    "coco": "COCO instance JSON",
    "maps": "instance maps",
    "masks": "masks",
    "yolo": "YOLO labels",
    "labelme": "LabelMe JSON",
    "cvat": "CVAT for images (XML)",
    "labelstudio": "Label Studio JSON",
    "via": "VIA JSON",
    "geojson": "GeoJSON",
    "imagej": "ROI files of ImageJ",
    "panoptic": "COCO panoptic JSON",
    "datumaro": "Datumaro JSON",
    "labelbox": "Labelbox JSON",
    "darwin": "V7 Darwin JSON",
    "cityscapes": "Cityscapes JSON",
    "supervisely": "Supervisely JSON",
    "via3": "VIA 3 JSON, which is for videos and sounds",
    "cvat_video": "CVAT for video (XML of tracks)",
    "voc_xml": "Pascal VOC XML, which has boxes",
    "labelme_xml": "LabelMe XML",
    "via_csv": "VIA CSV",
    "napari": "CSV of napari's shapes",
    "class_masks": "Roboflow semantic masks, which have classes, but not objects",
    "boxes_csv": "CSV of boxes",
    "labelstudio_png": "Label Studio's PNG or NumPy masks",
    "cellpose": "cellpose's _seg.npy",
    "numpy": "NumPy arrays",
    "matlab": "MATLAB .mat",
    "qupath_project": "a QuPath project",
    "tfrecord": "TFRecord",
}
"""What files of each form are called."""

_OUTLINES = "export outlines from the tool that made them (such as COCO JSON with polygons or masks), or draw them"
REMEDIES: Mapping[str, str] = {
    "panoptic": "export COCO instances, which have a segmentation for each annotation",
    "datumaro": "export COCO 1.0 from CVAT, or `datum convert` to coco_instances,",
    "labelbox": "convert them to COCO JSON with Labelbox's Python package",
    "darwin": "export COCO from V7",
    "cityscapes": "convert them to COCO JSON, or see the format cityscapes in the documentation,",
    "supervisely": "export COCO from Supervisely (its app Export to COCO)",
    "via3": "annotate pictures in VIA 2, or export COCO JSON from another tool,",
    "cvat_video": 'export "CVAT for images 1.1" from CVAT',
    "voc_xml": _OUTLINES,
    "labelme_xml": 'export COCO JSON or "CVAT for images 1.1" from the tool',
    "via_csv": "export JSON from VIA (menu Annotation, Export Annotations as json)",
    "napari": "turn the layer into labels in napari (Convert to Labels) and save these as TIFF",
    "class_masks": "export COCO Segmentation from Roboflow",
    "boxes_csv": _OUTLINES,
    "labelstudio_png": "export JSON from Label Studio",
    "numpy": "save a label image of each picture as PNG or TIFF",
    "matlab": "save a label image of each picture as PNG or TIFF (imwrite of uint16)",
    "qupath_project": "export GeoJSON from QuPath (menu File, Export objects as GeoJSON), a file for each picture,",
    "tfrecord": "export COCO JSON from the tool that made them",
}
"""What to do about a form that is not taken, to be followed by "instead"."""
