"""The command line and the package import nothing large before they need it; `benchmarks` measures the time."""

import subprocess
import sys

import pytest

LARGE = (
    "torch", "torchvision", "lightning", "h5py", "numpy", "scipy", "pandas", "PIL", "pycocotools", "pydantic", "yaml",
    "ruamel", "requests", "filelock", "matplotlib", "jinja2", "dvc", "snakemake", "gradio", "onnx",
)  # fmt: skip


@pytest.mark.parametrize(
    "start", ["import rsis", "sys.argv = ['rsis', '--help']; from rsis.cli.main import main; main()"]
)
def test_nothing_large_is_imported(start: str) -> None:
    code = f"import atexit, sys; atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr)); {start}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split("'"))
    assert "rsis" in modules
    assert not modules & set(LARGE)


def test_a_network_is_there_without_the_compiler_and_the_compiler_when_it_is_asked_for() -> None:
    code = """
import sys
from rsis import RSIS
from rsis.model.vision import torchvision
assert not {"torch._dynamo", "sympy", "lightning"} & set(sys.modules)
assert torchvision.ops.roi_align.__module__ and isinstance(RSIS, type)
asked = sys.modules["torchvision.ops.roi_align"].is_compile_supported
assert isinstance(asked("cpu"), bool) and "torch._dynamo.utils" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "module", ["tracking.status", "tracking.origin", "data.prepared.run", "eval.run", "report.run"]
)
def test_stages_without_a_network_do_without_torch(module: str) -> None:
    code = f"import sys, rsis.{module}; print({{'torch', 'lightning'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


INTERRUPTED = {
    "while it is imported": "import rsis.cli; ctrl_c()",
    "while it works": "from rsis.cli import main as cli; cli.app = ctrl_c; cli.main()",
    "while typer works": "from rsis.cli import main as cli; cli.app.command('wait')(ctrl_c); cli.main()",
}


@pytest.mark.parametrize("when", INTERRUPTED)
def test_ctrl_c_is_one_line(when: str) -> None:
    begin = """
import signal, sys
sys.argv = ["rsis", "wait"]
def ctrl_c():
    signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
"""
    ended = subprocess.run([sys.executable, "-c", begin + INTERRUPTED[when]], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (130, "rsis: interrupted\n")
