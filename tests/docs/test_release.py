"""The version stands in three files, and they agree."""

import re

import yaml
from support.reference_data import REPOSITORY

import rsis


def test_version_is_the_same_everywhere() -> None:
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"] == rsis.__version__
    headings = re.findall(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(heading for heading in headings if heading != "Unreleased") == rsis.__version__


def test_forms_are_yaml() -> None:
    for path in sorted((REPOSITORY / ".github/ISSUE_TEMPLATE").glob("*.yml")):
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= form.keys(), path
