"""Tests of an installation without extras: what works, and the error line that names the missing extra.

`.ci/wheel` tests a real installation without extras; here the missing packages are simulated.
"""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.command_line import TINY
from support.imports import MODULES, imports_of
from support.reference_data import REPOSITORY

from rsis.cli.main import main
from rsis.config.params import load_params
from rsis.config.runs import ScoreSection
from rsis.data.download.run import download
from rsis.data.readers.open import open_split
from rsis.errors import UserError
from rsis.eval.run import score_run
from rsis.eval.truths.open import load_ground_truth
from rsis.machine.extras import EXTRA_OF, require
from rsis.tracking.sources import look

STREETS = """
  streets:
    format: cityscapes
    source: {kind: streets, seed: 1, image_size: [64, 128], train: 2, val: 1, test: 1, objects: [1, 2]}
    size: [32, 64]
    splits: {train: {folder: train}, val: {folder: val}, test: {folder: test}}
runs:"""
CORE = (
    "tool.predictor", "tool.image_files", "own_data.write", "own_data.recognize", "data.download.run",
    "data.prepared.run", "tracking.check", "tracking.sources", "tracking.status", "train.run", "predict.run",
    "eval.run", "submit.run", "checkpoint.export", "checkpoint.original",
)  # fmt: skip

PARTS = ("markupsafe", "pydantic_core", "urllib3")  # of jinja2, of pydantic, of requests


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def test_the_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    core, extras = names(project["dependencies"]), project["optional-dependencies"]
    for package, extra in EXTRA_OF.items():
        assert package in names(extras[extra])
        assert package not in core
    # every package that the code imports is a core dependency, or is checked with `require` before its import
    owners = packages_distributions()
    for path in MODULES:
        for module in imports_of(path):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top in ("rsis", *PARTS):
                continue
            brought_by = {canonicalize_name(owner) for owner in owners[top]}
            assert brought_by & core or top in EXTRA_OF, f"{path.name} imports {module}"


def test_what_the_core_is_for_imports_nothing_else() -> None:
    """Follows the imports at module level, not those inside functions."""
    seen, ahead = set(), [f"rsis.{module}" for module in CORE]
    assert all((REPOSITORY / f"{module.replace('.', '/')}.py").is_file() for module in ahead)
    while ahead:
        module = ahead.pop()
        path = REPOSITORY / f"{module.replace('.', '/')}.py"
        if module in seen or not path.is_file():
            continue
        seen.add(module)
        imported = imports_of(path, inside_functions=False)
        assert not {name.split(".")[0] for name in imported} & set(EXTRA_OF), module
        ahead += imported
    assert {"rsis.tool.overlay", "rsis.eval.scorers.coco", "rsis.train.figures"} <= seen


@pytest.mark.parametrize(
    ("package", "command", "line"),
    [
        ("matplotlib", "report demo", 'report: matplotlib is missing; pip install "rsis[report]"'),
        ("matplotlib", "analyze demo", 'analyze: matplotlib is missing; pip install "rsis[report]"'),
        ("dvc", "report demo --experiments a", 'report --experiments: dvc is missing; pip install "rsis[workflow]"'),
        ("dvc", "commit", 'commit: dvc is missing; pip install "rsis[workflow]"'),
        ("snakemake", "commit", 'commit: snakemake is missing; pip install "rsis[workflow]"'),
        ("gradio", "demo-app x", 'demo-app: gradio is missing; pip install "rsis[app]"'),
        (
            "onnxscript",
            "export x.safetensors --format onnx --out x.onnx",
            'export --format onnx: onnxscript is missing; pip install "rsis[export]"',
        ),
        (
            "cityscapesscripts",
            "download streets",
            'format cityscapes: cityscapesscripts is missing; pip install "rsis[workflow]"',
        ),
    ],
)
def test_a_command_that_lacks_a_package_names_its_extra(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    package: str,
    command: str,
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "params.yaml").write_text(TINY.replace("\nruns:", STREETS))
    monkeypatch.setattr(sys, "argv", ["rsis", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"rsis: {line}\n"
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"params.yaml", "download-streets.lock"}


def test_streets_are_neither_read_nor_scored_without_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cityscapesscripts", None)
    (tmp_path / "params.yaml").write_text(TINY.replace("\nruns:", STREETS))
    dataset = load_params(tmp_path / "params.yaml").dataset("streets")
    for open_it in (open_split, load_ground_truth):
        with pytest.raises(UserError, match=r"format cityscapes: cityscapesscripts is missing; .*rsis\[workflow\]"):
            open_it(dataset, tmp_path, "train")
    with pytest.raises(UserError, match=r"scorer cityscapes: cityscapesscripts is missing; .*rsis\[workflow\]"):
        score_run(tmp_path / "none.json", dataset, tmp_path, ScoreSection(scorers=("coco", "cityscapes")))


def test_where_cityscapes_stands_is_said_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = 'cityscapesscripts is missing; pip install "rsis[workflow]"'
    (tmp_path / "params.yaml").write_text(TINY.replace("\nruns:", STREETS))
    streets = load_params(tmp_path / "params.yaml").dataset("streets")
    monkeypatch.chdir(tmp_path)
    download("streets", streets, Path("data/raw/streets"))
    monkeypatch.setitem(sys.modules, "cityscapesscripts", None)
    found = look("streets", streets, Path("data/raw/streets"))
    assert (found.state, found.text) == ("there", f"in data/raw/streets, not counted: {lacking}")
    monkeypatch.delenv("CITYSCAPES_DIR", raising=False)
    real = look(
        "cityscapes", load_params(REPOSITORY / "params.yaml").dataset("cityscapes"), Path("data/raw/cityscapes")
    )
    assert (real.state, real.text) == ("missing", lacking)


def test_a_failing_import_of_ours_is_not_taken_for_a_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "rsis.report.run", None)
    monkeypatch.setattr(sys, "argv", ["rsis", "report", "demo"])
    with pytest.raises(ModuleNotFoundError, match=r"rsis\.report\.run"):
        main()


def test_every_package_that_is_asked_for_is_known() -> None:
    with pytest.raises(AssertionError):
        require("something", "numpy")
    require("all of it", *EXTRA_OF)  # the tests' environment has all extras
    asked = [
        argument.value
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "require"
        for argument in node.args[1:]
        if isinstance(argument, ast.Constant)
    ]
    assert set(asked) == set(EXTRA_OF)


def test_a_picture_with_matplotlib_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from rsis.tool.result import ImageResult

    result = ImageResult("a", np.zeros((8, 8, 3), np.uint8), (), (), ("leaf",))
    assert result.overlay().size == (288, 288)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match=r'plot: matplotlib is missing; pip install "rsis\[report\]"'):
        result.plot()
