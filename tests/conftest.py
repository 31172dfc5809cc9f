"""The order of the tests, what this machine lacks for some of them, their memory, and a home that is thrown away."""

import gc
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from support.needs import line_of, missing_for
from support.reference_data import check_golden_folder

SLOW = {"slow": 1, "learning": 2, "pipeline": 3, "slurm": 4}
MUCH = 2**28  # bytes
MEMORY = pytest.StashKey[int]()  # bytes that the process held after its last collection of garbage
MISSING = pytest.StashKey[dict[str, int]]()  # how many tests are left out, by the name of what they need
# what would lead programs to the user's own settings and caches
PERSONAL = ("MPLCONFIGDIR", "TORCH_HOME", "HF_HOME", *(f"XDG_{name}_HOME" for name in ("CACHE", "CONFIG", "DATA")))

# The same examples everywhere: of its own accord hypothesis takes other settings where CI is set.
settings.register_profile("rsis", derandomize=True, deadline=None, database=None)
settings.load_profile("rsis")


def pytest_configure(config: pytest.Config) -> None:
    """Check the variables; give the tests, and all that they start, an empty home folder."""
    config.stash[MISSING] = {}
    if hasattr(config, "workerinput"):  # a process of pytest-xdist: its parent has done it
        return
    check_golden_folder()
    home = Path(tempfile.mkdtemp(prefix="rsis-home-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in PERSONAL:
        os.environ.pop(name, None)
    os.environ |= {"HOME": str(home), "DVC_SITE_CACHE_DIR": str(home / "dvc")}


@pytest.fixture(autouse=True)
def _no_denormal_numbers(request: pytest.FixtureRequest) -> None:
    """Flush them to zero where a test trains by itself, as `rsis train` does: a step can take five times as long."""
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(request.node.get_closest_marker("learning") is not None)


@pytest.fixture(autouse=True)
def _no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the timing of `rsis init` in this process, unless a test asks for it by --estimate."""
    monkeypatch.setattr("rsis.cli.init.ESTIMATES", False)


@pytest.hookimpl(trylast=True)  # after -k and -m: what they leave out needs nothing
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine cannot run, and put the rest in order."""
    missing = missing_for(items)
    config.stash[MISSING] = counts = {name: len(tests) for name, tests in missing.items()}
    spread = hasattr(config, "workerinput")
    if counts and requires_all():
        if not spread:
            raise pytest.UsageError(error_of(counts))
        left_out = list(items)  # the parent says why
    else:
        left_out = list({id(item): item for tests in missing.values() for item in tests}.values())
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(map(id, left_out))
        items[:] = [item for item in items if id(item) not in gone]
    put_in_order(items, spread)


def put_in_order(items: list[pytest.Item], spread: bool) -> None:
    """Files of fast tests first; spread over processes, the slowest first, so that all processes end together."""
    slowest: dict[Path, int] = defaultdict(int)
    for item in items:
        slowest[item.path] = max(slowest[item.path], *(SLOW.get(mark.name, 0) for mark in item.iter_markers()), 0)
    items.sort(key=lambda item: -slowest[item.path] if spread else slowest[item.path])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let no later collection of garbage look at what was imported for the tests; it stays to the end."""
    gc.collect()
    gc.freeze()
    session.config.add_cleanup(gc.unfreeze)  # what is still held at the end, some libraries report as leaked
    session.config.stash[MEMORY] = memory_in_use()


@pytest.hookimpl(trylast=True)  # after the fixtures
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Free the networks of a test: they are in cycles of few objects, which Python would not look for soon."""
    if memory_in_use() > item.config.stash[MEMORY] + MUCH:
        gc.collect()
        item.config.stash[MEMORY] = memory_in_use()


def memory_in_use() -> int:
    """Bytes of memory that this process holds; 0 on systems that do not say it there."""
    held = Path("/proc/self/statm")
    return int(held.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if held.exists() else 0


def requires_all() -> bool:
    """Whether a missing thing is an error."""
    return os.environ.get("RSIS_REQUIRE_ALL", "") not in ("", "0")


def error_of(counts: dict[str, int]) -> str:
    """What is said then."""
    return "RSIS_REQUIRE_ALL is set, and " + "; ".join(line_of(*each) for each in counts.items())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts from a process of pytest-xdist to its parent; end the parent as an error ends."""
    config = session.config
    counts = config.stash[MISSING]
    if hasattr(config, "workeroutput"):
        config.workeroutput["missing"] = counts
    elif counts and requires_all():
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the counts of a process; all of them collect the same tests."""
    node.config.stash[MISSING] |= getattr(node, "workeroutput", {}).get("missing", {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what is missing, a line for each thing."""
    counts = config.stash[MISSING]
    if counts and requires_all():
        if config.getoption("numprocesses", None):  # else pytest has said it
            terminalreporter.write_line(f"ERROR: {error_of(counts)}", red=True)
        return
    for each in counts.items():
        terminalreporter.write_line(f"left out: {line_of(*each)}", yellow=True)
