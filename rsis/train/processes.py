"""Distributed training: ranks, rendezvous, and what makes many processes give the results of one.

`train.devices` processes on each of `train.nodes` machines share every batch: `train.batch_size` is the size of the
whole batch, each process works on its part, and the learning rates need no change. Sums over a batch are divided by
the counts of the whole batch, batch normalisation takes its statistics over all processes, and each validation batch
is given as a whole to one process. The losses are therefore those of a single process, except for rounding, since the
order of additions differs.

On one machine Lightning starts the processes. On more than one machine SLURM does, one task for each process:

    srun --nodes=2 --ntasks-per-node=4 --kill-on-bad-exit=1 rsis train pascal

Only the process of rank 0, the leader, locks the run and reads and writes its state; the other processes follow its
decision (`LeaderDecision`).
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
    """Return the rank of this process, from 0, among SLURM's tasks or the processes that Lightning started."""
    if world_size(section) == 1:
        return 0
    return int(os.environ["SLURM_PROCID"] if _in_slurm_step() else os.environ.get("LOCAL_RANK", 0))


def trainer_options(section: TrainSection) -> dict[str, Any]:
    """Return the options of Lightning's trainer for devices, nodes and distribution.

    Raises:
        UserError: The machine has fewer GPUs than `train.devices`.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus and section.devices > gpus:
        raise UserError(
            f"train.devices is {section.devices}, this machine offers {gpus} GPUs; lower it, or ask for more"
        )
    if world_size(section) == 1:
        # Lightning's own requeueing would submit the job a second time, in addition to the workflow engine
        return {"accelerator": "auto", "devices": 1, "plugins": [LightningEnvironment()]}
    environment: LightningEnvironment | SLURMEnvironment = LightningEnvironment()
    if _in_slurm_step():
        environment = SLURMEnvironment(auto_requeue=False)
    return {
        "accelerator": "auto",
        "devices": section.devices,
        "num_nodes": section.nodes,
        # heads whose loss term is still off and a frozen backbone get no gradient; synchronised batch normalisation
        # keeps the buffers equal
        "strategy": DDPStrategy(find_unused_parameters=True, forward_sync_buffers=False),
        "plugins": [environment],
    }


def share_batch_statistics(network: nn.Module) -> None:
    """Replace, in place, each batch normalisation by one that takes its statistics over all processes.

    Names and values of parameters and buffers do not change. torch's own layer, `SyncBatchNorm`, works on GPUs only;
    on CPUs `SyncedBatchNorm` is used.
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
    """Return the divisor for the sums of one process; the mean over processes is then the mean over the whole batch.

    Args:
        count: Scalar of any dtype, the count in this process's part of the batch.

    Returns:
        Float scalar: the count of the whole batch, at least 1, divided by the number of processes.
    """
    total = count.detach().to(torch.float32)
    torch.distributed.all_reduce(total)
    return total.clamp(min=1) / torch.distributed.get_world_size()


class SyncedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes together, for CPUs, where torch has none."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise [B, C, H, W] by channel; in training with mean and variance over B, H, W and all processes."""
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
        # two passes: the mean of squares minus the square of the mean would lose precision
        variance: torch.Tensor = _SumOverProcesses.apply(centred.float().square().sum(axes)) / size  # [C]
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * size / (size - 1).clamp(min=1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        normalized: torch.Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normalized.to(input.dtype)


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of the gradients of all processes."""

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
    """Return whether an error means that this process lost the connection to another process."""
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def end_others(trainer: pl.Trainer) -> None:
    """Kill the processes that Lightning has started on this machine; else they would wait for this one for ever."""
    launcher = trainer.strategy.launcher
    for process in getattr(launcher, "procs", []):
        process.kill()


class LeaderDecision:
    """The decision of rank 0 on how to train, which the other ranks wait for; with one process nothing is sent.

    Args:
        section: Parameters of the run's training.

    Raises:
        StoppedError: The processes cannot connect: another program uses the port, or a machine cannot be reached.
        UserError: `train.nodes` is above 1 outside a SLURM step, or the step does not have one task for each process.
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
        patience = timedelta(days=30)  # the other ranks wait while rank 0 waits for the run's lock
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
        """Send the decision to the other ranks; only rank 0 calls this."""
        if self._store is not None:
            self._store.set("decision", decision)

    def wait(self) -> str:
        """Wait for the decision of rank 0, and return it; only the other ranks call this.

        Raises:
            StoppedError: Rank 0 has ended.
        """
        assert self._store is not None
        try:
            return str(self._store.get("decision").decode())
        except torch.distributed.DistError as error:
            raise StoppedError("the first of this training's processes has ended; see its message") from error


_STORE_PORT = "RSIS_STORE_PORT"


def _in_slurm_step() -> bool:
    """Return whether srun started this process as one of its tasks; these variables are not set in a batch script."""
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
    """Return the host of a SLURM step's first task, and the first of two ports that no other step should use."""
    host = SLURMEnvironment.resolve_root_node_address(os.environ.get("SLURM_STEP_NODELIST", "127.0.0.1"))
    try:
        socket.gethostbyname(host)
    except OSError:  # the node's name may not resolve; srun is called on the first node in most cases
        host = os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1")
    step = int(os.environ.get("SLURM_JOB_ID", 0)) * 10 + int(os.environ.get("SLURM_STEP_ID", 0))
    return host, 20000 + 2 * (step % 5000)
