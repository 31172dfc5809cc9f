"""What a training's key depends on: not on comments and docstrings, but on every line of code."""

import shutil
from pathlib import Path

import pytest
import yaml
from support.command_line import TINY
from support.imports import ROOT
from support.reference_data import REPOSITORY

from rsis.config.params import load_params
from rsis.config.runs import RunSection
from rsis.train.state.key import CODE, bare_code, code_digest, run_key


@pytest.fixture
def run(tmp_path: Path) -> RunSection:
    (tmp_path / "params.yaml").write_text(TINY)
    return load_params(tmp_path / "params.yaml").run("demo")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT, tmp_path / "rsis", ignore=shutil.ignore_patterns("__pycache__")))


def change(package: Path, name: str, old: str, new: str) -> None:
    file = package / name
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_code_that_does_not_train_is_not_in_it(package: Path) -> None:
    before = code_digest(package)
    assert before == code_digest(ROOT)
    for name in ("data/synthetic/streets/view.py", "data/readers/voc.py", "eval/run.py", "cli/main.py"):
        (package / name).write_text("print('another program')\n")
    assert code_digest(package) == before


@pytest.mark.parametrize("name", ["train/augment.py", "loss/soft_iou.py", "structures.py"])
def test_sentences_are_not_in_it(package: Path, name: str) -> None:
    before = code_digest(package)
    text = (package / name).read_text()
    (package / name).write_text('"""Another\n\nhead.\n"""\n' + text[text.index('"""', 3) + 3 :] + "\n# a remark\n\n")
    assert code_digest(package) == before


@pytest.mark.parametrize("part", CODE)
def test_every_part_of_the_code_is_in_it(package: Path, part: str) -> None:
    before = code_digest(package)
    place = package / part
    with (place if place.is_file() else sorted(place.rglob("*.py"))[-1]).open("a") as file:
        file.write("\nTHRESHOLD = 1\n")
    assert code_digest(package) != before


def test_what_is_left_of_code() -> None:
    source = '''"""Head."""

import os  # a remark


class Point:
    """A point.

    With a long text.
    """

    x: int = 0
    """Pixels."""

    def name(self) -> str:
        """Return it."""
        return "# no remark" + """no docstring"""
'''
    assert bare_code(source) == (
        "import os\nclass Point:\n    x: int = 0\n    def name(self) -> str:\n"
        '        return "# no remark" + """no docstring"""'
    )


@pytest.mark.parametrize(
    ("changes", "same"),
    [({"workers": 3}, True), ({"checkpoint_steps": True}, True), ({"epochs": 3}, False), ({"seed": 5}, False)],
)
def test_parameters(run: RunSection, changes: dict[str, object], same: bool) -> None:
    other = run.model_copy(update={"train": run.train.model_copy(update=changes)})
    digests = {"train": "a", "val": "b"}
    assert (run_key(other, digests) == run_key(run, digests)) is same
    assert run_key(run, {"train": "a", "val": "c"}) != run_key(run, digests)


def test_the_graph_depends_on_the_same_code() -> None:
    """Another test compares the Snakefile's stages with those of dvc.yaml."""
    deps = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]["train"]["do"]["deps"]
    assert {path.removeprefix("rsis/") for path in deps if path.startswith("rsis/")} == set(CODE)
