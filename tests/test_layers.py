"""The floors of the house (docs/architecture.md): a module imports what stands below it, never what stands above."""

import ast
from pathlib import Path

import pytest
from support.imports import MODULES, ROOT, imports_of

FLOORS = (
    ("errors", "structures", "masks", "machine", "files"),
    ("config", "splits", "prediction_file"),
    ("model", "loss", "data", "eval"),
    ("checkpoint", "submit"),
    ("train", "predict"),
    ("report", "order", "tool", "own_data", "tracking"),
    ("cli",),
)
STRANGERS = 2  # the floor whose folders do not import each other
FLOOR_OF = {part: number for number, parts in enumerate(FLOORS) for part in parts}
LOOSE = {"errors.py", "structures.py", "masks.py", "prediction_file.py", "__init__.py"}
EVAL_MAY_NOT_IMPORT = {"torch", "torchvision", "h5py", "lightning"}
LONGEST_FILE = 250  # lines


def part_of(module: str) -> str:
    """Say `data` for rsis.data.readers.voc, nothing for rsis itself."""
    return [*module.split("."), ""][1]


def test_every_folder_has_a_floor() -> None:
    assert {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in MODULES} == set(FLOOR_OF)
    assert {path.name for path in ROOT.glob("*.py")} == LOOSE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for module in imports_of(path):
        if not module.startswith("rsis"):
            assert own != "eval" or module.split(".")[0] not in EVAL_MAY_NOT_IMPORT, f"{own} imports {module}"
            continue
        part = part_of(module)
        if part in ("", own):
            continue
        assert FLOOR_OF[part] <= FLOOR_OF[own], f"{own} imports {module}, which stands above it"
        assert FLOOR_OF[part] != STRANGERS or FLOOR_OF[own] != STRANGERS, f"{own} imports {module} beside it"


def test_no_two_modules_import_each_other() -> None:
    names = {".".join(["rsis", *path.relative_to(ROOT).with_suffix("").parts]): path for path in MODULES}
    ahead = {name: imports_of(path) & names.keys() for name, path in names.items()}
    while free := [name for name, imported in ahead.items() if not imported & ahead.keys()]:
        for name in free:
            del ahead[name]
    assert not ahead, f"a circle of imports among {sorted(ahead)}"


def test_truth_is_read_without_the_readers_of_preparation() -> None:
    """A fault in a reader must show as a bad score."""
    for path in (ROOT / "eval").rglob("*.py"):
        assert not any(module.startswith("rsis.data") for module in imports_of(path)), path


def test_files_are_read_in_a_sitting() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_command_line_imports_lazily() -> None:
    """`rsis --help` must not wait for torch."""
    cheap = {"rsis", "rsis.errors", "rsis.files", "rsis.machine.allocator", "rsis.machine.cores", "rsis.machine.extras"}
    reached = {"main"}
    while True:
        top_level = [node for name in reached for node in ast.parse((ROOT / f"cli/{name}.py").read_text()).body]
        imported = {node.module or "" for node in top_level if isinstance(node, ast.ImportFrom)}
        more = {module.removeprefix("rsis.cli.") for module in imported if module.startswith("rsis.cli.")}
        if more <= reached:
            break
        reached |= more
    assert {module for module in imported if module.startswith("rsis") and part_of(module) != "cli"} <= cheap
