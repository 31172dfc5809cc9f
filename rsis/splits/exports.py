"""A split of a user's data set as an annotation tool saves or exports it (`rsis.config.datasets.ExportDataset`)."""

from rsis.splits.share import SharedSplit


class ExportSplit(SharedSplit):
    """Annotations of a tool, in one file or in a file for each picture, and the pictures."""

    annotations: str
    """The file, or the folder of a file for each picture; relative to the source."""
    images: str
    """Folder of the pictures, relative to the source; perhaps the same."""
