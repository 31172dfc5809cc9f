"""The workflow on a real SLURM: an interrupted job loses no more than the current epoch."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.command_line import TINY
from support.project import Project, project_in
from support.slurm_cluster import Cluster, cluster
from support.trained_files import curves, outputs

from rsis.machine.lock import Holder, holder_of

pytestmark = [pytest.mark.slurm, pytest.mark.pipeline]
# Snakemake asks for the state of jobs every second: of its own accord the plugin waits for ten seconds more after every
# answer without news, for the sake of shared clusters, and the tests would wait with it.
IMPATIENT = """
from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
main()
"""
PROFILE = (
    *(sys.executable, "-c", IMPATIENT, "--profile", "workflow/profiles/slurm", "--latency-wait", "10"),
    *("--slurm-init-seconds-before-status-checks", "1"),
)
LONG = TINY.replace("epochs: 2", "epochs: 80")


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    """Two nodes with four cores and two fake GPUs each; the default partition, and one that it may preempt."""
    with cluster(nodes=2, cpus=4, gpus=2) as running:
        yield running


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with prepared data."""
    project = project_in(tmp_path_factory.mktemp("slurm") / "project", LONG)
    project.run("snakemake", "--cores", "1", "data/processed/plants")
    return project


def copy_of(project: Project, folder: Path) -> Project:
    shutil.copytree(project.folder, folder, symlinks=True)
    return Project(folder)


@contextlib.contextmanager
def running(project: Project, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the background during the block; its output is in output.txt."""
    with (project.folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(command, cwd=project.folder, env=project.environment, stdout=output, stderr=output)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def wait_for(project: Project, what: str, condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        output = project.folder / "output.txt"
        assert time.monotonic() < deadline, f"{what}\n{output.read_text()[-5000:] if output.exists() else ''}"
        time.sleep(0.05)


def trainer(project: Project) -> Holder | None:
    """The process that trains the demo now."""
    return holder_of(project.folder / "state/locks/train-demo.lock")


def epochs_done(project: Project) -> int:
    found = [path.read_text() for path in project.folder.glob("state/demo/*/alive.json")]
    return max((int(match[1]) for text in found if (match := re.search(r'"epoch": (\d+)', text))), default=0)


def read(path: Path) -> str:
    """The text of a file that Snakemake may remove at any time."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    return ""


def events(project: Project) -> str:
    return (project.folder / "state/demo/events.log").read_text()


def test_a_training_ends_the_same_whatever_happens_to_its_jobs(
    slurm: Cluster, prepared: Project, tmp_path: Path
) -> None:
    """It is preempted, warned of its time limit, cancelled, and killed without warning, in turn."""
    whole, broken = copy_of(prepared, tmp_path / "whole"), copy_of(prepared, tmp_path / "broken")
    whole.run("rsis", "train", "demo")
    job = ""

    def preempt() -> None:
        slurm.run("sbatch", "-p", "main", "-N2", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3")

    def warn() -> None:
        slurm.run("scancel", "--signal=USR1", job)

    def cancel() -> None:
        slurm.run("scancel", job)

    def kill() -> None:
        holder = trainer(broken)
        assert holder is not None
        os.kill(holder.pid, signal.SIGKILL)

    target = ("models/demo.safetensors", "--set-resources", "train:slurm_partition=low")
    with running(broken, *PROFILE, *target) as process:
        for number, happens in enumerate((preempt, warn, cancel, kill)):

            def went_on(done: int = epochs_done(broken)) -> bool:
                return trainer(broken) is not None and epochs_done(broken) >= done + 2

            wait_for(broken, f"epochs before {happens.__name__}", went_on)
            holder = trainer(broken)
            assert holder is not None
            job = holder.job or ""
            assert "gpu:1" in slurm.run("scontrol", "show", "job", job)
            happens()

            def ended(holder: object = holder) -> bool:
                return trainer(broken) != holder

            wait_for(broken, f"end by {happens.__name__}", ended)
            assert events(broken).count("goes on") == number
        assert process.wait(timeout=240) == 0
    assert outputs(broken.folder) == outputs(whole.folder)
    recorded = events(broken)
    assert recorded.count("begins") == 1
    assert recorded.count("goes on") == 4
    assert recorded.count("stopped by SIGTERM") == 2
    assert recorded.count("stopped by SIGUSR1") == 1
    assert recorded.count("done after 80 epochs") == 1


def asked_of(slurm: Cluster, comment: str) -> str:
    """The resources that a running job has requested; "" before it runs."""
    for line in slurm.run("squeue", "-h", "-t", "R", "-o", "%i %k").splitlines():
        job, found = line.split()
        if found == comment:
            return slurm.run("scontrol", "show", "job", job)
    return ""


def test_two_nodes_train_as_one_process_and_a_table_is_one_target(
    slurm: Cluster, prepared: Project, tmp_path: Path
) -> None:
    """All stages of two runs are jobs; one of the runs is trained by two processes on each of two nodes."""
    project = copy_of(prepared, tmp_path / "project")
    step = TINY.replace("epochs: 2", "epochs: 8").replace("batch_size: 2", "batch_size: 4")
    step = step.replace("adamw", "sgd").replace("size: [32, 32]", "size: [64, 64]")
    step = step.replace("1e-3", "5e-5")  # see test_distributed.py
    (run,) = re.findall(r"  demo:\n.*?(?=default:)", step, re.DOTALL)
    spread = run.replace("demo:", "two:").replace("workers: 0", "workers: 0\n      nodes: 2\n      devices: 2")
    text = step.replace("default:", f"{spread}default:") + "comparisons: {ablation: [demo, two]}\n"
    (project.folder / "params.yaml").write_text(text)
    with running(project, *PROFILE, "ablation") as process:
        wait_for(project, "both nodes", lambda: asked_of(slurm, "rule_train_distributed_wildcards_two") != "")
        asked = asked_of(slurm, "rule_train_distributed_wildcards_two")
        assert process.wait(timeout=300) == 0, (project.folder / "output.txt").read_text()[-5000:]
    for expected in ("NumNodes=2 ", "gpu:2", "NtasksPerN:B:S:C=2:"):
        assert expected in asked
    one, two = (curves(project.folder, name) for name in ("demo", "two"))
    assert set(two) == set(one)
    for name in ("train/total", "train/mask", "train/stop", "val/total"):
        assert len(one[name]) == 8
        assert two[name] == pytest.approx(one[name], rel=1e-5), name
    page = (project.folder / "reports/ablation.html").read_text()
    assert "run demo" in page
    assert "run two" in page
    logs = [path.parent.parent.name for path in (project.folder / ".snakemake/slurm_logs").glob("*/*/*.log")]
    assert not logs  # the plugin keeps only the logs of failed jobs


def test_the_workflow_survives_its_own_death_and_the_controllers(
    slurm: Cluster, prepared: Project, tmp_path: Path
) -> None:
    """Snakemake, killed and started again, waits for the job that it had submitted, and nothing is trained twice."""
    project = copy_of(prepared, tmp_path / "project")
    target, log = "models/demo.safetensors", project.folder / "logs/train/demo.log"
    with running(project, *PROFILE, target) as first:
        wait_for(project, "first epoch", lambda: epochs_done(project) >= 1)
        holder = trainer(project)
        assert holder is not None
        os.kill(holder.pid, signal.SIGSTOP)  # so that it lasts as long as what follows takes
        first.kill()
    assert not (project.folder / target).exists()
    status = project.run("rsis", "status", "demo")
    assert re.search(r"demo +running +waiting +waiting +waiting +\d+ of 80", status), status
    project.run("snakemake", "--unlock")
    with running(project, *PROFILE, target) as second:
        wait_for(project, "second job", lambda: "another process is at it" in read(log))
        slurm.stop_controller()
        slurm.start_controller()
        assert trainer(project) == holder
        os.kill(holder.pid, signal.SIGCONT)
        assert second.wait(timeout=240) == 0
    recorded = events(project)
    assert (recorded.count("begins"), recorded.count("goes on"), recorded.count("done")) == (1, 0, 1)
    assert "Nothing to be done" in project.run("snakemake", "-n", target)
