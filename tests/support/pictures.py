"""A check of the properties that each picture of a report must have."""

import io

from PIL import Image

from rsis.report.figures.panel import ReportImage


def check(picture: ReportImage) -> None:
    assert len(picture.data) < 60_000
    assert picture.alt
    with Image.open(io.BytesIO(picture.data)) as image:
        image.load()
        assert image.format == "PNG"
        assert (image.height, image.width) == picture.size
        assert len(image.convert("RGB").getcolors(1 << 20)) > 2  # more than a background and one colour
