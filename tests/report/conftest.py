"""A run that several files of tests report on."""

import pytest
from support.made_up_run import make_run

from rsis.report.page import RunInputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> RunInputs:
    """A made-up run with all its files."""
    return make_run(tmp_path_factory.mktemp("run"))
