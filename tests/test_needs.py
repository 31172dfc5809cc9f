"""What a machine lacks is said in one line, however many processes run the tests; or it is an error."""

import os
import subprocess
import sys

import pytest
from support.reference_data import REPOSITORY

pytestmark = pytest.mark.slow
LINE = "3 tests need the sample of Pascal VOC 2007, which is not here"


def run_tests(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of real VOC data, and a small one beside them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RSIS_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "real or cores", *options]
    files = ("tests/data/readers/test_voc.py", "tests/machine/test_cores.py")
    return subprocess.run(
        [*command, *files], cwd=REPOSITORY, env=environment | variables, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_a_missing_thing_is_said_once_or_is_an_error(options: tuple[str, ...]) -> None:
    found = run_tests(*options)
    assert found.returncode == 0, found.stdout
    assert found.stdout.count(LINE) == 1
    assert "1 passed" in found.stdout
    assert "skipped" not in found.stdout

    required = run_tests(*options, RSIS_REQUIRE_ALL="1")
    assert required.returncode == pytest.ExitCode.USAGE_ERROR
    said = required.stdout + required.stderr
    assert said.count(LINE) == 1
    assert f"ERROR: RSIS_REQUIRE_ALL is set, and {LINE}" in said
    assert "passed" not in said


def test_a_folder_without_golden_numbers_is_an_error() -> None:
    found = run_tests(RSIS_GOLDEN="/nowhere")
    assert found.returncode == pytest.ExitCode.USAGE_ERROR
    assert "RSIS_GOLDEN: no golden numbers in /nowhere; expected manifest.json" in found.stderr
