"""One training in several processes: who they are, how they meet, and what makes them equal one process.

`train.devices` processes on each of `train.nodes` machines share every batch: `train.batch_size` is the whole
batch, each process takes its part of it, and learning rates stay what they are. Sums over a batch divide by the
counts of the whole batch, batch normalisation takes its statistics over all processes, and each validation batch
goes to one process whole, so the figures are those of a single process but for the order of additions.

On one machine Lightning starts the processes. On several, SLURM does, a task for each:

    srun --nodes=2 --ntasks-per-node=4 --kill-on-bad-exit=1 rsis train pascal

The first process alone holds the run's lock and looks at its files; the others do as it says (`LeaderDecision`).
"""

import os
import socket
from datetime import timedelta
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch forgets to export it

from rsis.config.runs import TrainSection
from rsis.errors import StoppedError, UserError


def world_size(section: TrainSection) -> int:
    """Return the number of processes of a training."""
    return section.devices * section.nodes


def rank(section: TrainSection) -> int:
    """Return this process's number among those of its training, from 0: in SLURM's tasks, or Lightning's children."""
    if world_size(section) == 1:
        return 0
    return int(os.environ["SLURM_PROCID"] if _in_slurm_step() else os.environ.get("LOCAL_RANK", 0))


def trainer_options(section: TrainSection) -> dict[str, Any]:
    """Return the options of Lightning's trainer that make a training's processes.

    Raises:
        UserError: The machine has fewer GPUs than asked for.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus and section.devices > gpus:
        raise UserError(
            f"train.devices is {section.devices}, this machine offers {gpus} GPUs; lower it, or ask for more"
        )
    if world_size(section) == 1:
        # Lightning's own requeueing would submit the job a second time beside the workflow's
        return {"accelerator": "auto", "devices": 1, "plugins": [LightningEnvironment()]}
    environment: LightningEnvironment | SLURMEnvironment = LightningEnvironment()
    if _in_slurm_step():
        environment = SLURMEnvironment(auto_requeue=False)
    return {
        "accelerator": "auto",
        "devices": section.devices,
        "num_nodes": section.nodes,
        # heads that are not in force yet and a frozen backbone have no gradient; buffers agree by SyncedBatchNorm
        "strategy": DDPStrategy(find_unused_parameters=True, forward_sync_buffers=False),
        "plugins": [environment],
    }


def share_batch_statistics(network: nn.Module) -> None:
    """Replace, in place, each batch normalisation by one that takes its statistics over all processes.

    Names and values of parameters and buffers stay. torch's own does it on GPUs only; `SyncedBatchNorm` elsewhere.
    """
    for name, child in network.named_children():
        if not isinstance(child, nn.BatchNorm2d):
            share_batch_statistics(child)
        elif torch.cuda.is_available():
            setattr(network, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
        else:
            synced = SyncedBatchNorm(child.num_features, child.eps, child.momentum)
            synced.load_state_dict(child.state_dict())
            setattr(network, name, synced)


def whole_batch_divisor(count: torch.Tensor) -> torch.Tensor:
    """Return what a process divides its sum by, so that the mean over processes is the mean over the batch.

    Args:
        count: What there is to count in this process's part of the batch, a scalar of any type.

    Returns:
        Float scalar: the whole batch's count, at least 1, over the number of processes.
    """
    total = count.detach().to(torch.float32)
    torch.distributed.all_reduce(total)
    return total.clamp(min=1) / torch.distributed.get_world_size()


class SyncedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes together, for processors without torch's own."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise [B, C, H, W] by channel; in training by the mean and variance over B, H, W of all processes."""
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        size = torch.tensor(float(input.numel() // input.shape[1]), device=input.device)
        torch.distributed.all_reduce(size)
        axes = (0, 2, 3)
        mean: torch.Tensor = _SumOverProcesses.apply(input.float().sum(axes)) / size  # [C]
        centred = input - mean[:, None, None]
        # a second pass: the mean of squares minus the square of the mean loses digits
        variance: torch.Tensor = _SumOverProcesses.apply(centred.float().square().sum(axes)) / size  # [C]
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * size / (size - 1).clamp(min=1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normalized: torch.Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normalized.to(input.dtype)


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; each one's gradient is the sum of all theirs."""

    @staticmethod
    def forward(_: Any, value: torch.Tensor) -> torch.Tensor:
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Any) -> Any:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether an error of one process is that it cannot reach another."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def end_others(trainer: pl.Trainer) -> None:
    """End the processes that Lightning has started on this machine: they would wait for this one."""
    launcher = trainer.strategy.launcher
    for process in getattr(launcher, "procs", []):
        process.kill()


class LeaderDecision:
    """A decision of a training's first process, for the other ones; a single process publishes to nobody.

    Args:
        section: Of the run.

    Raises:
        StoppedError: They cannot meet: another program has the port, or a machine cannot be reached.
        UserError: Several machines are asked for outside SLURM, or its tasks are not those the run asks for.
    """

    def __init__(self, section: TrainSection) -> None:
        self._store: TCPStore | None = None
        if world_size(section) == 1:
            return
        first = rank(section) == 0
        if _in_slurm_step():
            _check_step(section)
            host, port = _slurm_address()
            os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = host, str(port + 1)
            os.environ["SLURM_NTASKS_PER_NODE"] = str(section.devices)
        elif section.nodes > 1:
            raise UserError(f"train.nodes is {section.nodes}, and this is no SLURM step; {_way(section)}")
        else:  # the first process starts the others, which inherit its environment
            host, port = "127.0.0.1", 0 if first else int(os.environ[_STORE_PORT])
        patience = timedelta(days=30)  # the others wait while the first one waits for the run's lock
        try:
            self._store = TCPStore(host, port, is_master=first, timeout=patience, wait_for_workers=False)
        except torch.distributed.DistError as error:
            reason = str(error).splitlines()[0]
            raise StoppedError(
                f"{host}, port {port}: a training's processes cannot meet there ({reason}); run the same command again "
                "in another job"
            ) from error
        if first and not _in_slurm_step():
            os.environ[_STORE_PORT] = str(self._store.port)

    def publish(self, decision: str) -> None:
        """Publish the decision of the first process."""
        if self._store is not None:
            self._store.set("decision", decision)

    def wait(self) -> str:
        """Wait for the decision of the first process, and return it."""
        assert self._store is not None
        try:
            return str(self._store.get("decision").decode())
        except torch.distributed.DistError as error:
            raise StoppedError("the first of this training's processes has ended; see its message") from error


_STORE_PORT = "RSIS_STORE_PORT"


def _in_slurm_step() -> bool:
    """Whether srun started this process as one of several; in a batch script alone these are not set."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in os.environ


def _check_step(section: TrainSection) -> None:
    nodes, tasks = os.environ.get("SLURM_STEP_NUM_NODES"), os.environ.get("SLURM_STEP_TASKS_PER_NODE", "")
    expected = f"{section.devices}(x{section.nodes})" if section.nodes > 1 else f"{section.devices}"
    if tasks != expected:
        asked = f"train.devices is {section.devices} and train.nodes {section.nodes}"
        raise UserError(f"{asked}, SLURM's step has {tasks} tasks on {nodes} nodes; {_way(section)}")


def _way(section: TrainSection) -> str:
    srun = f"srun --nodes={section.nodes} --ntasks-per-node={section.devices} --kill-on-bad-exit=1"
    return f"start it by `{srun} rsis train RUN` in an allocation, or through Snakemake (workflow/README.md)"


def _slurm_address() -> tuple[str, int]:
    """Where the first task of a SLURM step is, and a port that is this step's own, with the one after it."""
    host = SLURMEnvironment.resolve_root_node_address(os.environ.get("SLURM_STEP_NODELIST", "127.0.0.1"))
    try:
        socket.gethostbyname(host)
    except OSError:  # a node's name need not resolve; srun was most often called on the first one
        host = os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1")
    step = int(os.environ.get("SLURM_JOB_ID", 0)) * 10 + int(os.environ.get("SLURM_STEP_ID", 0))
    return host, 20000 + 2 * (step % 5000)
