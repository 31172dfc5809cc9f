"""The recipes of docs/extend.md work as they are written: they are followed in a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from support.command_line import TINY
from support.imports import ROOT
from support.reference_data import REPOSITORY

PAGE = (REPOSITORY / "docs/extend.md").read_text()
# the commands that the arguments are, one after the other: starting the process takes longer than most of them
RSIS = """
import shlex
import sys
from rsis.cli.main import main

for command in sys.argv[1:]:
    sys.argv = ["rsis", *shlex.split(command)]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""
# masks of the truth's own objects as the predictions of a run, in params.yaml's place
PERFECT = """
import sys
from pathlib import Path
from rsis.config.params import load_params
from rsis.eval.truths.open import load_ground_truth
from rsis.files.manifest import read_manifest
from rsis.files.paths import raw_folder
from rsis.prediction_file import ImagePrediction, InstancePrediction, PredictionFile, write_predictions

params = load_params()
run = params.run("demo")
root = read_manifest(raw_folder(run.dataset)).root
truth = load_ground_truth(params.dataset(run.dataset), root, "test")
images = []
for name in truth.image_ids:
    found = [InstancePrediction(item.rle, (1.0,), 1.0, step) for step, item in enumerate(truth.annotations(name))]
    images.append(ImagePrediction(name, truth.size(name), tuple(found), (1.0,) * len(found)))
Path("predictions").mkdir(exist_ok=True)
write_predictions(
    Path("predictions/demo.json"),
    PredictionFile(run.dataset, "demo", "test", "0" * 64, truth.class_names, {}, tuple(images)),
)
"""


@dataclass(frozen=True)
class Step:
    """A block of the page: where it belongs, and its text."""

    how: str
    file: str
    anchor: str
    block: str

    def apply(self, folder: Path) -> None:
        path = folder / self.file
        if self.how == "New file":
            assert not path.exists(), path
            path.write_text(self.block)
            return
        text = path.read_text()
        if self.how == "after the text":
            assert text.count(self.anchor) == 1, f"{self.file}: {self.anchor}"
            path.write_text(text.replace(self.anchor, f"{self.anchor}{self.block.strip()} "))
            return
        lines = text.splitlines(keepends=True)
        at = next(number for number, line in enumerate(lines) if line.lstrip().startswith(self.anchor))
        at += self.how == "below the line"
        path.write_text("".join([*lines[:at], self.block, *lines[at:]]))


def steps(recipe: str) -> list[Step]:
    """The blocks of a section that belong into the package."""
    section = PAGE.split(f"{{ #{recipe} }}")[1].split("\n## ")[0]
    where = "below the line|above the line with|after the text"
    pattern = rf"^(?:(New file) `(rsis/\S+)`|In `(rsis/\S+)`, ({where}) `([^`]+)`):\n\n```(?:python|text)\n(.*?)^```"
    found = [
        Step(new or how, file or other, anchor, block)
        for new, file, other, how, anchor, block in re.findall(pattern, section, re.MULTILINE | re.DOTALL)
    ]
    assert len(found) == len(re.findall(r"^(?:New file|In `rsis/)", section, re.MULTILINE)) > 1
    return found


class Copy:
    """A copy of the package with recipes followed, and a project that uses it."""

    def __init__(self, folder: Path, *recipes: str) -> None:
        self.package, self.project = folder / "copy", folder / "project"
        shutil.copytree(ROOT, self.package / "rsis", ignore=shutil.ignore_patterns("__pycache__"))
        self.project.mkdir()
        for recipe in recipes:
            for step in steps(recipe):
                step.apply(self.package)

    def python(self, code: str, *arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(self.package), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=self.project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rsis(self, *commands: str) -> str:
        return self.python(RSIS, *commands)

    def score_perfect_predictions(self) -> dict[str, float]:
        self.python(PERFECT + RSIS, "score demo")
        found: dict[str, float] = json.loads((self.project / "metrics/demo.json").read_text())
        return found


def write_circles(folder: Path) -> None:
    """Ten pictures of two or three circles."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows, columns = np.indices((40, 48))
    lines = ["picture,row,column,radius"]
    for number in range(10):
        picture = random.integers(0, 60, (40, 48, 3))
        for row, column in ((10, 10), (28, 14), (20, 36))[: 2 + number % 2]:
            radius = int(random.integers(4, 7))
            picture[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] += 150
            lines.append(f"cell{number},{row},{column},{radius}")
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"cell{number}.png")
    (folder / "circles.csv").write_text("\n".join(lines) + "\n")


def params(**changes: dict[str, object]) -> str:
    """The small configuration with the page's data set, its run changed."""
    content = yaml.safe_load(TINY)
    found = re.search(r"```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    content["datasets"] = yaml.safe_load(found[1])["datasets"]
    content["default"] = {"datasets": ["circles"], "runs": {"demo": "circles"}}
    run = content["runs"]["demo"]
    run["dataset"] = "circles"
    run["train"] |= {"epochs": 1, "lr": 0.001, "lr_encoder": 0.001}  # YAML takes 1e-3 for text
    for section, values in changes.items():
        run[section] |= values
    return yaml.safe_dump(content, sort_keys=False)


@pytest.mark.slow
def test_format(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "format")
    write_circles(copy.project / "my-circles")
    (copy.project / "params.yaml").write_text(params())
    tables = copy.rsis("check circles", "download circles", "prepare circles")
    assert len(re.findall(r"pictures +6 +2 +2\n", tables)) == 2, tables
    metrics = copy.score_perfect_predictions()
    assert (metrics["cvppp/sbd"], metrics["cvppp/abs_dic"]) == (1.0, 0.0)
    assert metrics["coco/AP"] == pytest.approx(1.0)
    # the reader and the truth agree on every pixel
    copy.python(
        "from pathlib import Path\n"
        "from rsis.config.datasets import CirclesSplit\n"
        "from rsis.data.readers.circles import CirclesReader\n"
        "from rsis.eval.truths.circles import CirclesTruth\n"
        "from rsis.masks import relabel\n"
        "files = Path('my-circles'), CirclesSplit()\n"
        "reader, truth = CirclesReader(*files), CirclesTruth(*files)\n"
        "assert reader.image_ids == truth.image_ids and len(truth.image_ids) == 10\n"
        "for name in truth.image_ids:\n"
        "    assert (reader.read(name).instance_map == relabel(truth.instance_map(name))).all()\n"
    )


@pytest.mark.slow
def test_scorer(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "scorer")
    (copy.project / "params.yaml").write_text(TINY.replace("[cvppp, coco]", "[foreground, cvppp]"))
    copy.rsis("download plants")
    assert copy.score_perfect_predictions()["foreground/iou"] == 1.0
    predictions = copy.project / "predictions/demo.json"
    content = json.loads(predictions.read_text())
    for image in content["images"]:
        image["instances"] = []
    predictions.write_text(json.dumps(content))
    copy.rsis("score demo")
    assert json.loads((copy.project / "metrics/demo.json").read_text())["foreground/iou"] == 0.0


@pytest.mark.slow
def test_backbone(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "backbone")
    copy.python(
        "import torch\n"
        "from rsis.config.runs import ModelSection\n"
        "from rsis.model.network import RSISNetwork\n"
        "for stride, widths in ((32, (8, 8, 4, 4, 2)), (8, (4, 2))):\n"
        "    section = ModelSection(backbone='regnet_y_400mf', hidden_widths=widths, stride=stride)\n"
        "    output = RSISNetwork(section, 3).eval()(torch.rand(1, 3, 64, 64), 2)\n"
        "    assert output.class_logits.shape == (1, 2, 3)\n"
        "    assert output.mask_logits.shape[:2] == (1, 2)\n"
    )


@pytest.mark.pipeline
def test_all_three_from_pictures_to_report(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "format", "scorer", "backbone")
    write_circles(copy.project / "my-circles")
    text = params(model={"backbone": "regnet_y_400mf"}, score={"scorers": ["foreground", "cvppp"]})
    (copy.project / "params.yaml").write_text(text)
    copy.rsis("run demo")
    report = (copy.project / "reports/demo.md").read_text()
    assert "foreground" in report
    assert "circles" in report
