"""docs/architecture.md says what is so: its tree, its floors, its stages, its modules."""

import ast
import re

import yaml
from support.imports import ROOT
from support.reference_data import REPOSITORY

PAGE = (REPOSITORY / "docs/architecture.md").read_text()


def floors() -> tuple[tuple[str, ...], ...]:
    """FLOORS of tests/test_layers.py; no test imports another."""
    found = re.search(
        r"^FLOORS = (\(.*?^\))", (REPOSITORY / "tests/test_layers.py").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    value: tuple[tuple[str, ...], ...] = ast.literal_eval(found[1])
    return value


def section(anchor: str) -> str:
    """The text below a heading."""
    return PAGE.split(f"{{ #{anchor} }}")[1].split("\n## ")[0]


def table(anchor: str) -> list[list[str]]:
    """The cells of the table of a section, without its head."""
    lines = [line for line in section(anchor).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_tree_names_every_folder() -> None:
    named = re.findall(r"^  (\S+)/ ", section("tree"), re.MULTILINE)
    files = (path for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    folders = {path.parent.relative_to(ROOT).as_posix() for path in files} - {"."}
    assert sorted(named) == sorted(folders)
    assert set(re.findall(r"^  (\w+\.py) ", section("tree"), re.MULTILINE)) == {
        path.name for path in ROOT.glob("*.py") if path.name != "__init__.py"
    }
    for name in re.findall(r"^(\w[\w.]*)", section("tree"), re.MULTILINE):
        assert (REPOSITORY / name).exists(), name


def test_floors_are_those_of_the_test() -> None:
    rows = table("floors")
    assert [int(row[0]) for row in rows] == list(reversed(range(len(floors()))))
    assert tuple(tuple(quoted(row[1])) for row in reversed(rows)) == floors()


def test_stages_depend_on_what_dvc_says() -> None:
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    rows = {row[0]: row[1:] for row in table("stages")}
    assert rows.keys() == stages.keys() - {"sources"}
    for name, (code, sections, reads) in rows.items():
        stage = stages[name]["do"]
        paths = [re.sub(r"/?\$\{.*", "", path) for path in stage["deps"]]
        assert quoted(code) == sorted(path.removeprefix("rsis/") for path in paths if path.startswith("rsis/")), name
        keys = [re.sub(r"\$\{\w+\}", "NAME", key) for key in stage.get("params", ())]
        assert quoted(sections) == keys, name
        assert quoted(reads) == sorted({path for path in paths if not path.startswith("rsis/")}), name


def test_modules_are_there() -> None:
    found = set(re.findall(r"`((?:rsis|tests|workflow)/[\w/.]+\.\w+)`", PAGE))
    assert len(found) > 20
    for path in found:
        assert (REPOSITORY / path).is_file(), path


def test_site_fetches_no_drawing_library() -> None:
    """The theme takes mermaid.js from another host when a page has a fence of that class."""
    assert "custom_fences" not in (REPOSITORY / "mkdocs.yml").read_text()
