"""One training in several processes: who they are, how they meet, and what makes them equal one process.

`train.devices` processes on each of `train.nodes` machines share every batch: `train.batch_size` is the whole
batch, each process takes its part of it, and learning rates stay what they are. Sums over a batch divide by the
counts of the whole batch, batch normalisation takes its statistics over all processes, and each validation batch
goes to one process whole, so the figures are those of a single process but for the order of additions.

On one machine Lightning starts the processes. On several, SLURM does, a task for each:

    srun --nodes=2 --ntasks-per-node=4 --kill-on-bad-exit=1 rsis train pascal
"""

import os
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import nn

from rsis.errors import UserError
from rsis.run_config import TrainSection


def world_size(section: TrainSection) -> int:
    """Return the number of processes of a training."""
    return section.devices * section.nodes


def rank(section: TrainSection) -> int:
    """Return this process's number among those of its training, from 0: in SLURM's tasks, or Lightning's children."""
    if world_size(section) == 1:
        return 0
    if _is_slurm_task(section):
        return int(os.environ["SLURM_PROCID"])
    return int(os.environ.get("LOCAL_RANK", 0))


def trainer_options(section: TrainSection) -> dict[str, Any]:
    """Return the options of Lightning's trainer that make a training's processes.

    Raises:
        UserError: The machine has fewer GPUs than asked for, or several machines are asked for outside SLURM.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus and section.devices > gpus:
        raise UserError(
            f"train.devices is {section.devices}, this machine offers {gpus} GPUs; lower it, or ask for more"
        )
    if world_size(section) == 1:
        # Lightning's own requeueing would submit the job a second time beside the workflow's
        return {"accelerator": "auto", "devices": 1, "plugins": [LightningEnvironment()]}
    if _is_slurm_task(section):
        # of the machine that srun ran on; the names of an allocation's nodes need not resolve
        os.environ.setdefault("MASTER_ADDR", os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1"))
        environment: LightningEnvironment | SLURMEnvironment = SLURMEnvironment(auto_requeue=False)
    elif section.nodes == 1:
        environment = LightningEnvironment()
    else:
        tasks = f"srun --nodes={section.nodes} --ntasks-per-node={section.devices}"
        raise UserError(
            f"train.nodes is {section.nodes}, and this is not one of {world_size(section)} SLURM tasks; "
            f"start it by `{tasks}` in an allocation, or through Snakemake (workflow/README.md)"
        )
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


def _is_slurm_task(section: TrainSection) -> bool:
    return os.environ.get("SLURM_NTASKS") == str(world_size(section)) and "SLURM_PROCID" in os.environ
