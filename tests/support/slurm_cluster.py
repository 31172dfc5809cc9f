"""A temporary SLURM cluster on this machine for tests: real daemons, simulated nodes.

All files are in one folder, except for a link to the configuration, /etc/slurm/slurm.conf. The link is needed since
Snakemake removes the variable that names the configuration, SLURM_CONF, from the environment of its jobs. Debian's
packages slurmctld, slurmd, slurm-client and munge must be installed, and the daemons need root. Partition `main` is
the default; jobs of partition `low` are preempted by those of `main`.

Manual use: `python tests/support/slurm_cluster.py FOLDER` starts a cluster, prints the command to use it, and stops it
at Ctrl-C or SIGTERM.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
SYSTEM_CONFIGURATION = Path("/etc/slurm/slurm.conf")
SYSTEM_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def is_available() -> bool:
    """Return whether a cluster can be started on this machine: not if it is already part of a cluster."""
    in_use = SYSTEM_CONFIGURATION.exists() and not SYSTEM_CONFIGURATION.is_symlink()
    return os.geteuid() == 0 and not in_use and all(shutil.which(program, path=SYSTEM_PATH) for program in PROGRAMS)


class Cluster:
    """The daemons of a cluster.

    Args:
        folder: Folder for configuration, state and logs; its path must be short, since it contains sockets.
        nodes: Number of nodes, named n1, n2, ...
        cpus: Number of cores of each node; may exceed this machine's.
        gpus: Number of simulated GPUs of each node.
    """

    def __init__(self, folder: Path, nodes: int = 2, cpus: int = 4, gpus: int = 0) -> None:
        self.folder = folder
        self.nodes = [f"n{number + 1}" for number in range(nodes)]
        self.environment = {**os.environ, "PATH": SYSTEM_PATH, "SLURM_CONF": str(folder / "slurm.conf")}
        self._ports = _free_ports(nodes + 1)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._linked = False
        self._configure(cpus, gpus)

    def start(self) -> None:
        """Start all daemons and wait until all nodes accept jobs."""
        munge = self.folder / "munge"
        options = ["--foreground", "--force", f"--key-file={munge / 'key'}", f"--socket={munge / 'socket'}"]
        options += [f"--{name}-file={munge / name}" for name in ("pid", "log", "seed")]
        self._link()
        self._start("munged", "munged", *options)
        _wait_for("munge", lambda: self._does("munge", "-n", "-S", str(munge / "socket")))
        self.start_controller()
        for node in self.nodes:
            self._start(node, "slurmd", "-D", "-N", node)
        _wait_for("nodes", self._is_idle)

    def start_controller(self) -> None:
        """Start the controller, from the state that an earlier one left, if there is one."""
        self._start("slurmctld", "slurmctld", "-D")
        _wait_for("the controller", lambda: "is UP" in self.run("scontrol", "ping", check=False))

    def stop_controller(self) -> None:
        """Stop only the controller; jobs continue."""
        self._stop("slurmctld")

    def stop(self) -> None:
        """End all jobs and all daemons."""
        if "slurmctld" in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.run("scancel", "--quiet", "--user=root", check=False)
                _wait_for("jobs to end", lambda: not self.run("squeue", "-h", check=False), seconds=20, fatal=False)
        for name in list(self._running):
            self._stop(name)
        if self._linked:
            SYSTEM_CONFIGURATION.unlink()

    def run(self, *command: str, check: bool = True) -> str:
        """Run a client command of SLURM and return its output."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}\n{self.logs()}")
        return done.stdout

    def logs(self) -> str:
        """Return the last part of each daemon's log."""
        texts = [f"== {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in self.folder.glob("*.log")]
        return "\n".join(texts)

    def _configure(self, cpus: int, gpus: int) -> None:
        folder, host = self.folder, socket.gethostname().split(".")[0]
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        (folder / "munge").chmod(0o755)
        key = folder / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        lines = f"""
            ClusterName=test
            SlurmctldHost={host}(127.0.0.1)
            SlurmctldPort={self._ports[0]}
            SlurmUser=root
            SlurmdUser=root
            AuthType=auth/munge
            AuthInfo=socket={folder}/munge/socket,cred_expire=5
            CredType=cred/munge
            SlurmctldPidFile={folder}/slurmctld.pid
            SlurmdPidFile={folder}/%n.pid
            SlurmctldLogFile={folder}/slurmctld.log
            SlurmdLogFile={folder}/%n.log
            StateSaveLocation={folder}/state
            SlurmdSpoolDir={folder}/spool/%n
            ProctrackType=proctrack/linuxproc
            TaskPlugin=task/none
            MpiDefault=none
            SwitchType=switch/none
            ReturnToService=2
            SlurmdParameters=config_overrides
            SelectType=select/cons_tres
            SelectTypeParameters=CR_CPU
            SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
            MinJobAge=300
            KillWait=15
            JobRequeue=1
            PreemptType=preempt/partition_prio
            PreemptMode=REQUEUE
            AccountingStorageType=accounting_storage/none
            JobAcctGatherType=jobacct_gather/none
        """.split()
        resources = f" Gres=gpu:{gpus}" if gpus else ""
        if gpus:
            lines.append("GresTypes=gpu")
            devices = "".join(f"Name=gpu File={folder}/gpu{number}\n" for number in range(gpus))
            (folder / "gres.conf").write_text(f"AutoDetect=off\n{devices}")
            for number in range(gpus):
                (folder / f"gpu{number}").symlink_to("/dev/null")
        for node, port in zip(self.nodes, self._ports[1:], strict=True):
            lines.append(
                f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=100000"
                f"{resources} State=UNKNOWN"
            )
        lines.append("PartitionName=main Nodes=ALL Default=YES DefaultTime=10 State=UP PriorityTier=9 PreemptMode=OFF")
        lines.append(
            "PartitionName=low Nodes=ALL DefaultTime=10 State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10"
        )
        (folder / "slurm.conf").write_text("\n".join(lines) + "\n")

    def _link(self) -> None:
        """Link the system's configuration path to this cluster's file, unless a running cluster uses the path."""
        place = SYSTEM_CONFIGURATION
        place.parent.mkdir(exist_ok=True)
        if place.is_symlink() or place.exists():
            environment = {**self.environment, "SLURM_CONF": str(place)}
            ping = subprocess.run(["scontrol", "ping"], env=environment, capture_output=True, text=True, check=False)
            if not place.is_symlink() or "is UP" in ping.stdout:
                raise RuntimeError(f"{place}: this machine is part of a cluster already")
            place.unlink()
        place.symlink_to(self.folder / "slurm.conf")
        self._linked = True

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as output:
            self._running[name] = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )

    def _stop(self, name: str) -> None:
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _does(self, *command: str) -> bool:
        return subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0

    def _is_idle(self) -> bool:
        states = self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%T", check=False).split()
        return len(states) == len(self.nodes) and set(states) == {"idle"}


@contextlib.contextmanager
def cluster(nodes: int = 2, cpus: int = 4, gpus: int = 0) -> Iterator[Cluster]:
    """Run a cluster in a temporary folder until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    running = Cluster(folder, nodes, cpus, gpus)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def _wait_for(what: str, condition: Callable[[], bool], seconds: float = 30, *, fatal: bool = True) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            if fatal:
                raise RuntimeError(f"waited {seconds} s for {what} in vain")
            return
        time.sleep(0.1)


def main() -> None:
    """Run a cluster until SIGINT or SIGTERM."""
    running = Cluster(Path(sys.argv[1]).resolve(), gpus=1)
    running.start()
    print(f"export SLURM_CONF={running.folder}/slurm.conf", flush=True)  # noqa: T201
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    running.stop()


if __name__ == "__main__":
    main()
