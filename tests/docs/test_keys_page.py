"""The page of all keys: it is built from the same list as `rsis keys`."""

import importlib.util
import re

from support.reference_data import REPOSITORY

from rsis.config.keys import list_keys
from rsis.config.params import Params


def test_the_page_has_every_key_in_a_table() -> None:
    specification = importlib.util.spec_from_file_location("hooks", REPOSITORY / "docs/hooks.py")
    assert specification is not None
    assert specification.loader is not None
    hooks = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(hooks)
    page = hooks.keys_page()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    keys = list_keys(Params)
    assert len(rows) == len(keys)
    for row, key in zip(rows, keys, strict=True):
        assert len(re.findall(r"(?<!\\)\|", row)) == 5, row
        assert row.startswith(f"| `{key.path[-1]}`")
    assert "## runs.RUN.train\n" in page
