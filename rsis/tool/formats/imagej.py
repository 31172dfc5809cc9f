"""The objects of a picture as a RoiSet of ImageJ and Fiji: a ZIP file with an ROI for each object.

An object of one part without holes is a polygon, any other a composite selection. The entry of object 3 of class
nucleus is 0003-nucleus.roi; the group of an ROI is its class, numbered from 1, and its property `score` the score.
"""

import io
import zipfile

import numpy as np
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

from rsis.errors import UserError
from rsis.tool.formats.documents import Outlined
from rsis.tool.formats.outline import Part
from rsis.tool.instance import Instance

_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # of a path of a composite selection
_LONGEST = 32_767  # pixels: the format has 16 bits for a place
_MOST_GROUPS = 255
_WHEN = (1980, 1, 1, 0, 0, 0)  # of all entries, so that equal objects give equal files


def roi_set(outlined: Outlined) -> bytes:
    """Return the ZIP file.

    Raises:
        UserError: The picture is too large for the format.
    """
    height, width = outlined.size
    if max(height, width) > _LONGEST:
        found = f"{outlined.image_id}: a picture of {height} x {width} pixels"
        raise UserError(f"{found}; imagej holds up to {_LONGEST} a side; choose another --format, such as geojson")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for item, parts in outlined.objects:
            entry = zipfile.ZipInfo(f"{_name(item)}.roi", _WHEN)
            archive.writestr(entry, _roi(item, parts).tobytes(), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _name(item: Instance) -> str:
    plain = "".join(sign if sign.isalnum() or sign in " -_." else "_" for sign in item.class_name)
    return f"{item.number:04d}-{plain[:60]}"


def _roi(item: Instance, parts: tuple[Part, ...]) -> ImagejRoi:
    rings = [ring for part in parts for ring in part.rings]
    points = np.concatenate(rings)
    whole = bool((points == np.round(points)).all())
    # of a composite selection only the place is taken from here
    roi = ImagejRoi.frompoints(points.astype(np.int32) if whole else points, name=_name(item))
    roi.options &= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    roi.roitype = ROI_TYPE.POLYGON
    roi.group = item.class_id if item.class_id <= _MOST_GROUPS else 0
    roi.props = f"score: {item.score:.6f}\n"
    left, top = np.floor(points.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(points.max(axis=0)).astype(int).tolist()
    if len(rings) == 1:
        return roi
    path = np.concatenate([_path(ring) for ring in rings])
    roi.roitype, roi.options = ROI_TYPE.RECT, ROI_OPTIONS.NONE
    roi.left, roi.top, roi.right, roi.bottom = left, top, right, bottom
    roi.integer_coordinates = roi.subpixel_coordinates = None
    roi.n_coordinates = 0
    roi.shape_roi_size, roi.multi_coordinates = len(path), path.astype(np.float32)
    return roi


def _path(ring: np.ndarray) -> np.ndarray:
    """Return the path of a ring: an operation and a point each, then the end."""
    operations = np.full((len(ring), 1), _LINE)
    operations[0] = _MOVE
    return np.append(np.concatenate([operations, ring], axis=1).ravel(), _CLOSE)
