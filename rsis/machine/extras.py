"""Checks for optional packages: `pip install rsis` installs only what prediction and training need.

The other packages come with an extra of pyproject.toml. Code calls `require` before it imports one of them.
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
    "starlette": "app",
    "onnx": "export",
    "onnxruntime": "export",
    "onnxscript": "export",
}
"""The extra that installs each optional package."""


def missing_of(*packages: str) -> list[str]:
    """Return those of `packages`, keys of `EXTRA_OF`, that are not installed; nothing is imported."""
    assert EXTRA_OF.keys() >= set(packages)
    return [package for package in packages if importlib.util.find_spec(package) is None]


def require(what: str, *packages: str) -> None:
    """Check that packages are installed.

    Only a missing package becomes a UserError. When an installed package fails to import, its ImportError reaches
    the user.

    Args:
        what: The feature that needs them, in the user's words, such as "report".
        packages: Keys of `EXTRA_OF`.

    Raises:
        UserError: A package is not installed; the message names it and the extra that installs it.
    """
    missing = missing_of(*packages)
    if missing:
        raise UserError(f'{what}: {missing[0]} is missing; pip install "rsis[{EXTRA_OF[missing[0]]}]"')
