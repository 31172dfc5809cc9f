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
