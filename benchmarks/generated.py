"""Generated data of the benchmarks' real sizes, made at most once and only when it is needed."""

from pathlib import Path

from rsis.config.params import Params, load_params
from rsis.config.sources import PlantSource, SceneSource, StreetSource
from rsis.data.download.run import download
from rsis.data.prepared.run import prepare
from rsis.files.manifest import Manifest

_PARAMS = """
datasets:
  scenes:
    format: voc
    source: {{kind: scenes, seed: 1, image_size: [{scene}], train: {scenes}, val: 1, sbdataset: 0,
             objects: [1, 4]}}
    size: [{square}]
    voc: VOCdevkit/VOC2012
    splits: {{train: {{image_sets: [train]}}, val: {{image_sets: [train]}}}}  # the same images: drawing takes time
  plants:
    format: cvppp
    source: {{kind: plants, seed: 1, image_size: [{plant}], training: {plants}, testing: 1, leaves: [11, 20]}}
    size: [{square}]
    splits: {{val: {{folder: training/A1}}}}
  streets:
    format: cityscapes
    source: {{kind: streets, seed: 1, image_size: [{street}], train: {streets}, val: 1, test: 1,
             objects: [4, 20]}}
    size: [{wide}]
    splits: {{train: {{folder: train}}, val: {{folder: train}}}}
runs: {{}}
default: {{datasets: [], runs: {{}}}}
"""
_FULL = {
    "scene": "375, 500",
    "plant": "500, 530",
    "street": "1024, 2048",
    "square": "256, 256",
    "wide": "256, 512",
    "scenes": 240,
    "plants": 120,
    "streets": 24,
}
_QUICK = {
    "scene": "96, 128",
    "plant": "128, 128",
    "street": "128, 256",
    "square": "64, 64",
    "wide": "64, 128",
    "scenes": 8,
    "plants": 4,
    "streets": 2,
}


class Workspace:
    """A folder with raw and prepared data sets: scenes (VOC), plants (CVPPP) and streets (Cityscapes).

    Args:
        folder: The folder to write to; data of an earlier run there is used again.
        quick: Whether to generate only few and small images.
    """

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder / ("quick" if quick else "full")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.params_path = self.folder / "params.yaml"
        self.params_path.write_text(_PARAMS.format(**(_QUICK if quick else _FULL)))
        self.params: Params = load_params(self.params_path)

    def raw(self, name: str) -> Manifest:
        """Return the manifest of a data set; generate the data set if it is not there yet."""
        return download(name, self.params.dataset(name), self.folder / "raw" / name)

    def image_size(self, name: str) -> tuple[int, int]:
        """Return (H, W) of a data set's raw images."""
        source = self.params.dataset(name).source
        assert isinstance(source, PlantSource | SceneSource | StreetSource), "all are generated"
        return source.image_size

    def processed(self, name: str) -> Path:
        """Return the folder of a data set's prepared splits; prepare them if they are not there yet."""
        target = self.folder / "processed" / name
        if not target.is_dir():
            self.raw(name)
            raw = self.folder / "raw" / name
            prepare(name, self.params.dataset(name), raw, target, skip_bad=False, workers=1)
        return target
