"""What a user is told of pictures that are turned by their EXIF orientation."""

from rsis.config.datasets import AnyDataset, OwnDataset


def frame_note(dataset: AnyDataset, assumed: int, name: str = "NAME") -> tuple[str, ...]:
    """Return the line about turned pictures of which nothing tells the frame of their annotations.

    Args:
        dataset: Its section of params.yaml.
        assumed: Number of images whose `RawSample.frame_is_assumed`.
        name: Name of the data set.
    """
    if not assumed:
        return ()
    pictures = "1 picture is" if assumed == 1 else f"{assumed} pictures are"
    line = (
        f"{pictures} turned by EXIF orientation, and the size does not tell whether the annotations were drawn on the "
        "turned or on the stored picture; they are taken as drawn on the "
    )
    if not isinstance(dataset, OwnDataset):
        return (f"{line}turned one",)
    here, other = ("turned", "stored") if dataset.annotated == "upright" else ("stored", "upright")
    return (f"{line}{here} one; datasets.{name}.annotated: {other} says otherwise",)
