"""The plots that dvc.yaml defines for a run's scores, rendered by DVC itself."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML
from support.made_up_run import make_run
from support.reference_data import REPOSITORY

from rsis.config.params import load_params

OF_FORMAT = {"cvppp": "tiny", "coco": "tiny", "voc": "scenes", "cityscapes": "streets"}


def definitions() -> dict[str, dict[str, Any]]:
    """The plots of dvc.yaml that show scores, by title."""
    plots = YAML(typ="safe").load(REPOSITORY / "dvc.yaml")["plots"]
    titled = {title: plot for item in plots for title, plot in item.items()}
    # entries without y are folders: each file in them is a plot
    return {t: plot for t, plot in titled.items() if "y" in plot and next(iter(plot["y"])).startswith("scores/")}


def dvc(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "HOME": str(folder.parent), "GIT_CONFIG_GLOBAL": os.devnull}
    command = [str(Path(sys.executable).with_name("dvc")), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The Vega specification that `dvc plots show` writes for each plot, by title."""
    folder = tmp_path_factory.mktemp("dvc") / "project"
    params = load_params(REPOSITORY / "params.yaml")
    for plot in definitions().values():
        name = next(iter(plot["y"])).split("/")[1]
        if not (folder / "scores" / name).exists():
            make_run(folder, name, dataset=OF_FORMAT[params.dataset(params.run(name).dataset).format])
    (folder / "rsis/report").mkdir(parents=True)
    shutil.copytree(REPOSITORY / "rsis/report/plots", folder / "rsis/report/plots")
    with (folder / "dvc.yaml").open("w") as file:
        YAML().dump({"plots": [{title: plot} for title, plot in definitions().items()]}, file)
    dvc(folder, "init", "-q", "--no-scm")
    dvc(folder, "plots", "show", "-q", "--out", "page")
    page = (folder / "page/index.html").read_text()
    specs = [json.loads(text) for text in re.findall(r"var spec = (\{.*?\});\n", page, re.DOTALL)]
    return {spec["title"]: spec | {"folder": folder} for spec in specs}


def test_every_plot_is_shown_with_its_data(shown: dict[str, dict[str, Any]]) -> None:
    assert set(shown) == set(definitions())
    for title, plot in definitions().items():
        ((file, field),) = plot["y"].items()
        table = pd.read_csv(shown[title]["folder"] / file)
        assert len(shown[title]["data"]["values"]) == len(table) > 0
        assert {field, plot["x"]} <= set(table.columns), f"{title}: {file} has {list(table.columns)}"
        assert {field, plot["x"]} <= set(shown[title]["data"]["values"][0])


def test_no_anchor_is_left(shown: dict[str, dict[str, Any]]) -> None:
    for spec in shown.values():
        assert "DVC_METRIC" not in json.dumps({key: value for key, value in spec.items() if key != "folder"})


def test_scorers_are_told_apart(shown: dict[str, dict[str, Any]]) -> None:
    overlap = [spec for title, spec in shown.items() if title.endswith(": overlap asked for")]
    assert overlap
    for spec in overlap:
        assert spec["encoding"]["strokeDash"]["field"] == "scorer"
        assert {row["scorer"] for row in spec["data"]["values"]} <= {"coco", "voc", "cityscapes"}
