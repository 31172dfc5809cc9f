"""A folder with the workflow graph of one or both engines, and a configuration that runs in seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support.reference_data import REPOSITORY

STAGES = ("download@plants", "prepare@plants", "train@demo", "predict@demo", "score@demo", "report@demo")


SHARED = ("dvc.yaml", ".dvcignore", ".gitignore", "Snakefile")


class Project:
    """A folder in which commands of git, DVC, Snakemake and rsis run in a clean environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "DVC_NO_ANALYTICS": "1",
            "HOME": str(folder.parent),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail; return its exit code and its output."""
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def run(self, *command: str) -> str:
        result = self.attempt(*command)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def run_without_warning(self, *command: str) -> str:
        """Run a command that must print nothing to stderr; return its output."""
        result = self.attempt(*command)
        assert (result.returncode, result.stderr) == (0, ""), f"{command}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", message)

    def ran(self, output: str) -> set[str]:
        return {stage for stage in STAGES if f"Running stage '{stage}'" in output}


def begin(folder: Path, params: str) -> Project:
    """Make a git and DVC repository with a configuration and without outputs."""
    folder.mkdir()
    project = Project(folder)
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(REPOSITORY / name, folder)
    # the stages depend on these copies of the code; the code that runs is the installed package, with the same files
    shutil.copytree(REPOSITORY / "rsis", folder / "rsis", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "params.yaml").write_text(params)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.commit("Begin")
    return project


def project_in(folder: Path, params: str) -> Project:
    """Make a folder with the files of both engines, the code that they depend on, and a configuration."""
    folder.mkdir()
    for name in SHARED:
        shutil.copy(REPOSITORY / name, folder)
    shutil.copytree(REPOSITORY / "workflow", folder / "workflow")
    # as in `begin`
    shutil.copytree(REPOSITORY / "rsis", folder / "rsis", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "params.yaml").write_text(params)
    return Project(folder)
