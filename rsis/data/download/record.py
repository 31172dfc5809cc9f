"""The record of a source in the manifest of the raw data that was made from it."""

from typing import Any, assert_never

from rsis.config.sources import (
    ArchiveSource,
    CityscapesSource,
    FolderSource,
    PlantSource,
    SceneSource,
    Source,
    StreetSource,
)


def record_of(source: Source) -> dict[str, Any]:
    """Return what identifies the data of a source, as JSON values.

    Raw data with another record is made again. Which server or mirror the files come from is not part of it, since
    the files are the same, nor is a limit of their size. A user's folder that is read where it stands has its
    section of params.yaml.
    """
    match source:
        case FolderSource():
            return source.model_dump(mode="json")
        case CityscapesSource():
            return {"kind": source.kind, "packages": list(source.packages)}
        case ArchiveSource():
            return source.model_dump(mode="json", exclude={"files": {"__all__": {"urls", "size", "max_unpacked"}}})
        case PlantSource() | SceneSource() | StreetSource():
            return {**source.model_dump(mode="json"), "generator": _version_of(source)}
        case _:
            assert_never(source)


def _version_of(source: PlantSource | SceneSource | StreetSource) -> int:
    """Return the version of the module that draws the pictures."""
    match source:
        case PlantSource():
            from rsis.data.synthetic.plants import dataset as plants

            return plants.GENERATOR_VERSION
        case SceneSource():
            from rsis.data.synthetic.scenes import dataset as scenes

            return scenes.GENERATOR_VERSION
        case StreetSource():
            from rsis.data.synthetic.streets import dataset as streets

            return streets.GENERATOR_VERSION
        case _:
            assert_never(source)
