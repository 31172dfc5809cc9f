"""The packages that an installation may lack: `pip install rsis` brings what prediction and training need.

The others come with an extra of pyproject.toml. Whoever is about to import one of them asks here first.
"""

import importlib.util

from rsis.errors import UserError

EXTRA_OF = {
    "matplotlib": "report",
    "jinja2": "report",
    "dvc": "workflow",
    "snakemake": "workflow",
    "cityscapesscripts": "workflow",
    "gradio": "app",
    "onnx": "export",
    "onnxruntime": "export",
    "onnxscript": "export",
}
"""The extra that brings each package."""


def missing_of(*packages: str) -> list[str]:
    """Return those of the packages, keys of `EXTRA_OF`, that are not installed; none of them is imported."""
    assert EXTRA_OF.keys() >= set(packages)
    return [package for package in packages if importlib.util.find_spec(package) is None]


def require(what: str, *packages: str) -> None:
    """Check that packages are installed.

    An import that fails although its package is there is an error of ours or of the package, and not hidden.

    Args:
        what: What needs them, in the user's words, such as "report".
        packages: Keys of `EXTRA_OF`.

    Raises:
        UserError: One is not; names it and the extra that brings it.
    """
    missing = missing_of(*packages)
    if missing:
        raise UserError(f'{what}: {missing[0]} is missing; pip install "rsis[{EXTRA_OF[missing[0]]}]"')
