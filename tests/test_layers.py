"""The layer table of the design: imports point down only."""

import ast
from pathlib import Path

import pytest

import rsis

ROOT = Path(rsis.__file__).parent
LAYERS = {
    "errors": 0,
    "extras": 0,
    "files": 0,
    "durable": 0,
    "own_files": 0,
    "structures": 0,
    "masks": 0,
    "config": 0,
    "bounded_yaml": 0,
    "run_config": 0,
    "cores": 0,
    "lock": 0,
    "dataset_config": 0,
    "source_config": 0,
    "section": 0,
    "manifest": 0,
    "paths": 0,
    "revision": 0,
    "console": 0,
    "allocator": 0,
    "overlay": 0,
    "result": 0,
    "tiles": 0,
    "voc_split": 0,
    "own_split": 0,
    "split_share": 0,
    "data": 1,
    "model": 1,
    "loss": 1,
    "eval": 2,
    "train": 3,
    "pictures": 3,
    "predict": 3,
    "predictor": 4,
    "export": 4,
    "predict_images": 5,
    "demo_app": 6,
    "demo_server": 7,
    "submit": 3,
    "report": 3,
    "analysis": 4,
    "own_data": 4,
    "status": 4,
    "commit": 5,
    "cli_arguments": 0,
    "cli_check": 8,
    "cli_results": 8,
    "cli_run": 8,
    "cli_split": 7,
    "cli_tool": 8,
    "cli_own_data": 8,
    "cli": 9,
}
REPORT_MAY_IMPORT = {"rsis.eval.scores", "rsis.eval.prediction_file", "rsis.eval.ground_truth", "rsis.eval.truths"}
EVAL_MAY_NOT_IMPORT = {"torch", "torchvision", "h5py", "lightning"}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def part_of(module: str) -> str:
    """Say `data` for rsis.data.hdf5, `cli` for rsis.cli, nothing for rsis itself."""
    return [*module.split("."), ""][1]


def imports_of(path: Path, *, inside_functions: bool = True) -> set[str]:
    """Every module that a file imports, those for type checking alone left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
        if isinstance(node, ast.FunctionDef) and not inside_functions:
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found.add(node.module)
    return found


def test_every_module_has_a_layer() -> None:
    assert {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in MODULES} == set(LAYERS)


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
        if own == "report" and LAYERS[part] > 0:
            assert module in REPORT_MAY_IMPORT, f"report imports {module}"
        elif own == "eval":
            assert LAYERS[part] == 0, f"eval imports {module}"
        else:
            assert LAYERS[part] < LAYERS[own] or LAYERS[part] == 0, f"{own} imports {module}"


def test_command_line_imports_lazily() -> None:
    """`rsis --help` must not wait for torch."""
    top_level = [
        node
        for name in ("cli", "cli_results", "cli_run", "cli_tool", "cli_own_data")
        for node in ast.parse((ROOT / f"{name}.py").read_text()).body
    ]
    imported = {node.module for node in top_level if isinstance(node, ast.ImportFrom)}
    assert {module for module in imported if module and module.startswith("rsis")} <= {
        "rsis",
        "rsis.allocator",
        "rsis.cli_arguments",
        "rsis.cli_check",
        "rsis.cli_own_data",
        "rsis.cli_results",
        "rsis.cli_run",
        "rsis.cli_tool",
        "rsis.console",
        "rsis.cores",
        "rsis.errors",
        "rsis.extras",
    }
